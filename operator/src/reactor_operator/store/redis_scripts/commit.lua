#!lua
--include pools
--include correlations
-- Applies a commit, or refuses it and writes nothing.
-- KEYS: header records inbox outbox tasks values pages correlations history epoch active claim depths
-- ARGV: run revision epoch inbox_position active prefix, then lists, each a count and its members:
--       records (name body)* removed* dropped* values (digest body)* pages (name body)* removed pages*
--       opens (task record)* closes* acknowledged* actions (id body)*
--       queued (pool tasks chunks chunk*)*
--       claim: nothing, or shared keep_ms body, and a document where there is one
--       correlations that are let go: nothing, or kept_ms name*
--       correlations that are taken (name path passed_on)*
--       history: nothing, or added kept entry*
-- Answers {"committed"}, {"old-epoch", stored}, {"stale-revision", stored}, {"inbox-ahead", task}, {"key-taken", run} or
-- {"correlation-taken", name*}.
local header, records, inbox, outbox, tasks, values, pages, names_key = unpack(KEYS, 1, 8)
local epoch_key, active_key, claim_key, depths = unpack(KEYS, 10)
local run, revision, epoch, inbox_position = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local active, prefix = ARGV[5] == "1", ARGV[6]

local next_argument = 7
local function take_list()
  local count = tonumber(ARGV[next_argument])
  local first = next_argument + 1
  next_argument = first + count
  return first, next_argument - 1
end
local function put(command, key, first, last)
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
local queued_first, queued_last = take_list()
local claim_first, claim_last = take_list()
local let_go_first, let_go_last = take_list()
local taken_first, taken_last = take_list()
local history_first, history_last = take_list()

local stored_epoch = tonumber(redis.call("GET", epoch_key) or "0")
if epoch < stored_epoch then
  return {"old-epoch", tostring(stored_epoch)}
end
local stored = redis.call("HMGET", header, "revision", "position", "sequence", "pools", "history")
local stored_revision, position = tonumber(stored[1] or "0"), tonumber(stored[2] or "0")
if revision ~= stored_revision then
  return {"stale-revision", tostring(stored_revision)}
end
local waiting = redis.call("LLEN", inbox)
local consumed_before = position - waiting
local consumed_after, states = math.max(inbox_position, consumed_before), {}
for i = closes_first, closes_last do
  states[i - closes_first + 1] = "+" .. ARGV[i]
end
if position > consumed_after then
  for i, state in ipairs(read_fields(tasks, states)) do
    if parse_state(state) > consumed_after then
      return {"inbox-ahead", ARGV[closes_first + i - 1]}
    end
  end
end
local shared, keep_ms, body, document = unpack(ARGV, claim_first, claim_last)
local holder = shared and redis.call("HGET", claim_key, "run")
if shared == "0" and holder and holder ~= run and revision == 0 then
  return {"key-taken", holder}
end
local holds = shared == "0" and (not holder or holder == run)
local refusal = {"correlation-taken"}
for i = taken_first, taken_last, 3 do
  if is_taken(correlation_key(prefix, ARGV[i]), run, ARGV[i + 1], ARGV[i + 2]) then
    refusal[#refusal + 1] = ARGV[i]
  end
end
if #refusal > 1 then
  return refusal
end
-- Asked for before anything is written: it is a right of its own.
local let_go_at = let_go_last >= let_go_first and string.format("%d", now_ms())

local sequence = tonumber(stored[3] or "0")
redis.call("HSET", header, "revision", string.format("%d", revision + 1), "active", ARGV[5])
if epoch > stored_epoch then
  redis.call("SET", epoch_key, ARGV[3])
end
put("HSET", records, records_first, records_last)
put("HDEL", records, removed_first, removed_last)
put("HDEL", values, dropped_first, dropped_last)
put("HSET", values, values_first, values_last)
put("HSET", pages, pages_first, pages_last)
put("HDEL", pages, removed_pages_first, removed_pages_last)

local consumed = math.min(inbox_position, position) - consumed_before
if consumed > 0 then
  redis.call("LTRIM", inbox, consumed, -1)
end

if history_last >= history_first then
  local history, keep = KEYS[9], tonumber(ARGV[history_first + 1])
  local entries = tonumber(stored[5] or "0") + tonumber(ARGV[history_first])
  put("RPUSH", history, history_first + 2, history_last)
  if entries > keep then
    redis.call("LTRIM", history, -keep, -1)
  end
  redis.call("HSET", header, "history", string.format("%d", entries))
end

put("HSET", tasks, opens_first, opens_last)
if active then
  put("HDEL", tasks, closes_first, closes_last)
  in_batches("HDEL", tasks, states)
else
  redis.call("DEL", tasks)
end

-- Redis forgets the order of a hash, so each action begins with its sequence number in 16 digits.
put("HDEL", outbox, acknowledged_first, acknowledged_last)
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

-- Chunks go to the ends of queues, after the time.
local function queue_chunks(pools)
  local time, at, known = string.format(" %d", now_ms()), queued_first, pools
  while at <= queued_last do
    local pool, added, chunks = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local queue = prefix .. "{" .. run .. "}:queue:" .. pool
    if redis.call("RPUSH", queue, time) == 1 then
      redis.call("RPUSH", prefix .. "pool:" .. pool, run)
    end
    put("RPUSH", queue, at + 3, at + 2 + chunks)
    count(depths, "q " .. pool, added)
    if not find(known, " " .. pool .. " ", 1, true) then
      known = known .. pool .. " "
    end
    at = at + 3 + chunks
  end
  if known ~= pools then
    -- Of the queues that a pod has for itself only those that are there: a map makes any number of them.
    known = string.gsub(known, "[^ ]*/~[^ ]* ", function(own)
      return redis.call("EXISTS", prefix .. "{" .. run .. "}:queue:" .. string.sub(own, 1, -2)) == 0 and "" or nil
    end)
    redis.call("HSET", header, "pools", known)
  end
  return known
end

-- What is closed leaves the queue at its head.
local function trim_queue(pool)
  local queue, at_once, trimmed, time = prefix .. "{" .. run .. "}:queue:" .. pool, 2, 0, nil
  while true do
    local found, closed, is_cut = redis.call("LRANGE", queue, 0, at_once - 1), 0, false
    for i = 1, #found do
      if byte(found[i]) == SPACE then
        time = found[i]
      else
        local chunk = tasks_in(found[i])
        local _, closed_here = undone_of(tasks, chunk)
        if #closed_here < #chunk then
          is_cut = true
          break
        end
        closed, trimmed = i, trimmed + #chunk
      end
    end
    if closed > 0 then
      redis.call("LTRIM", queue, closed, -1)
    end
    if is_cut or #found < at_once then
      break
    end
    at_once = 200
  end
  if trimmed > 0 then
    local head = redis.call("LINDEX", queue, 0)
    if not head then
      redis.call("LREM", prefix .. "pool:" .. pool, 1, run)
    elseif byte(head) ~= SPACE then
      redis.call("LPUSH", queue, time)
    end
    count(depths, "q " .. pool, -trimmed)
  end
end

local pools = stored[4] or " "
if queued_last >= queued_first then
  pools = queue_chunks(pools)
end
if closes_last >= closes_first or not active then
  for pool in string.gmatch(pools, "%S+") do
    if active then
      trim_queue(pool)
    else
      drop_queue(prefix, depths, run, pool)
    end
  end
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
for i = let_go_first + 1, let_go_last do
  let_name_go(names_key, correlation_key(prefix, ARGV[i]), ARGV[i], let_go_at, ARGV[let_go_first])
end
for i = taken_first, taken_last, 3 do
  take_name(names_key, correlation_key(prefix, ARGV[i]), ARGV[i], run, ARGV[i + 1])
end
if active or redis.call("EXISTS", outbox, inbox) > 0 then
  redis.call("SADD", active_key, run)
else
  redis.call("SREM", active_key, run)
end
return {"committed"}
