#!lua
-- Applies a commit, or refuses it and writes nothing.
-- KEYS: header records inbox outbox tasks values pages epoch active claim
-- ARGV: run revision epoch inbox_position active, then lists, each a count and its members:
--       records (name body)* removed* dropped* values (digest body)* pages (name body)* removed pages*
--       opens ("r:"task record)* closes* acknowledged* actions (id body)*
--       claim: nothing, or shared keep_ms body, and a document where there is one
-- Answers {"committed"}, {"old-epoch", stored}, {"stale-revision", stored}, {"inbox-ahead", task} or {"key-taken", run}.
local header, records, inbox, outbox, tasks, values, pages, epoch_key, active_key, claim_key = unpack(KEYS)
local run, revision, epoch, inbox_position = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local active = ARGV[5] == "1"
local FIELDS_AT_ONCE = 2000 -- unpack() cannot put more than some 8,000 on the stack
local TASKS_AT_ONCE = 400 -- of five fields each

local next_argument = 6
local function take_list()
  local count = tonumber(ARGV[next_argument])
  local first = next_argument + 1
  next_argument = first + count
  return first, next_argument - 1
end
local function in_batches(command, key, first, last)
  for from = first, last, FIELDS_AT_ONCE do
    redis.call(command, key, unpack(ARGV, from, math.min(from + FIELDS_AT_ONCE - 1, last)))
  end
end

local records_first, records_last = take_list()
local removed_first, removed_last = take_list()
local dropped_first, dropped_last = take_list()
local values_first, values_last = take_list()
local pages_first, pages_last = take_list()
local removed_pages_first, removed_pages_last = take_list()
local opens_first, opens_last = take_list()
local closes_first, closes_last = take_list()
local acknowledged_first, acknowledged_last = take_list()
local actions_first, actions_last = take_list()
local claim_first, claim_last = take_list()

local stored_epoch = tonumber(redis.call("GET", epoch_key) or "0")
if epoch < stored_epoch then
  return {"old-epoch", tostring(stored_epoch)}
end
local stored = redis.call("HMGET", header, "revision", "position", "sequence")
local stored_revision, position = tonumber(stored[1] or "0"), tonumber(stored[2] or "0")
if revision ~= stored_revision then
  return {"stale-revision", tostring(stored_revision)}
end
local waiting = redis.call("LLEN", inbox)
local consumed_before = position - waiting
local consumed_after = math.max(inbox_position, consumed_before)
for from = closes_first, closes_last, FIELDS_AT_ONCE do
  local fields = {}
  for i = from, math.min(from + FIELDS_AT_ONCE - 1, closes_last) do
    fields[#fields + 1] = "p:" .. ARGV[i]
  end
  for i, newest in ipairs(redis.call("HMGET", tasks, unpack(fields))) do
    if newest and tonumber(newest) > consumed_after then
      return {"inbox-ahead", ARGV[from + i - 1]}
    end
  end
end
local shared, keep_ms, body, document = unpack(ARGV, claim_first, claim_last)
local holder = shared and redis.call("HGET", claim_key, "run")
if shared == "0" and holder and holder ~= run and revision == 0 then
  return {"key-taken", holder}
end
local holds = shared == "0" and (not holder or holder == run)

local sequence = tonumber(stored[3] or "0")
redis.call("HSET", header, "revision", string.format("%d", revision + 1), "active", ARGV[5])
if epoch > stored_epoch then
  redis.call("SET", epoch_key, ARGV[3])
end
in_batches("HSET", records, records_first, records_last)
in_batches("HDEL", records, removed_first, removed_last)
in_batches("HDEL", values, dropped_first, dropped_last)
in_batches("HSET", values, values_first, values_last)
in_batches("HSET", pages, pages_first, pages_last)
in_batches("HDEL", pages, removed_pages_first, removed_pages_last)

local consumed = math.min(inbox_position, position) - consumed_before
if consumed > 0 then
  redis.call("LTRIM", inbox, consumed, -1)
end

in_batches("HSET", tasks, opens_first, opens_last)
if active then
  for from = closes_first, closes_last, TASKS_AT_ONCE do
    local fields = {}
    for i = from, math.min(from + TASKS_AT_ONCE - 1, closes_last) do
      local task, at = ARGV[i], #fields
      fields[at + 1], fields[at + 2], fields[at + 3] = "r:" .. task, "b:" .. task, "o:" .. task
      fields[at + 4], fields[at + 5] = "p:" .. task, "s:" .. task
    end
    redis.call("HDEL", tasks, unpack(fields))
  end
else
  redis.call("DEL", tasks)
end

-- Redis forgets the order of a hash, so each action begins with its sequence number in 16 digits.
in_batches("HDEL", outbox, acknowledged_first, acknowledged_last)
for i = actions_first, actions_last, 2 do
  local before = redis.call("HGET", outbox, ARGV[i])
  if before then
    redis.call("HSET", outbox, ARGV[i], string.sub(before, 1, 16) .. ARGV[i + 1])
  else
    sequence = sequence + 1
    redis.call("HSET", outbox, ARGV[i], string.format("%016d", sequence) .. ARGV[i + 1])
  end
end
if actions_last >= actions_first then
  redis.call("HSET", header, "sequence", string.format("%d", sequence))
end
if holds then
  redis.call("HSET", claim_key, "run", run, "keep", keep_ms, "body", body)
  redis.call("HDEL", claim_key, "document")
  if document then
    redis.call("HSET", claim_key, "document", document)
  end
end
-- "runs" counts the stored runs that have the claim; forget.lua takes each off again
if (holds or (shared == "1" and holder)) and redis.call("HSETNX", header, "claim", claim_key) == 1 then
  redis.call("HINCRBY", claim_key, "runs", 1)
  redis.call("PERSIST", claim_key)
end
if active or redis.call("EXISTS", outbox, inbox) > 0 then
  redis.call("SADD", active_key, run)
else
  redis.call("SREM", active_key, run)
end
return {"committed"}
