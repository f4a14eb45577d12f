-- What the scripts that deal with queues and leases share (they include it).
-- PREFIX:pool:POOL          list: the runs that have something queued, in the order of their turns
-- PREFIX:{RUN}:queue:POOL   list: chunks, each a MessagePack array of the time at which it was queued and its tasks
-- PREFIX:{RUN}:leases       hash: by the last task of a chunk an array of pool, worker (false once it ran out), other tasks
-- PREFIX:leases             sorted set: RUN/LAST TASK by the time at which the lease runs out
-- PREFIX:depths             hash: "q POOL" how many tasks are queued, "l POOL" how many are leased
-- The header of a run has in `pools` the pools that it ever queued something for, each between spaces.
local FIELDS_AT_ONCE = 2000 -- unpack() cannot put more than some 8,000 on the stack

local function now_ms()
  local time = redis.call("TIME")
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function in_batches(command, key, members)
  for from = 1, #members, FIELDS_AT_ONCE do
    redis.call(command, key, unpack(members, from, math.min(from + FIELDS_AT_ONCE - 1, #members)))
  end
end

local function read_fields(key, fields)
  if #fields <= FIELDS_AT_ONCE then
    return #fields > 0 and redis.call("HMGET", key, unpack(fields)) or {}
  end
  local found = {}
  for from = 1, #fields, FIELDS_AT_ONCE do
    local some = redis.call("HMGET", key, unpack(fields, from, math.min(from + FIELDS_AT_ONCE - 1, #fields)))
    for i = 1, #some do
      found[#found + 1] = some[i]
    end
  end
  return found
end

-- Adds to how many are queued or leased; nothing is kept of a pool that has none.
local function count(depths, field, change)
  if change ~= 0 and redis.call("HINCRBY", depths, field, change) <= 0 then
    redis.call("HDEL", depths, field)
  end
end

-- Which of these tasks are closed, and whether any of the others has no outcome yet.
local function look_at(tasks_key, tasks)
  local fields, closed, undone = {}, {}, {}
  for i = 1, #tasks do
    fields[2 * i - 1], fields[2 * i] = "r:" .. tasks[i], "o:" .. tasks[i]
  end
  local found = read_fields(tasks_key, fields)
  for i = 1, #tasks do
    if not found[2 * i - 1] then
      closed[#closed + 1] = tasks[i]
    elseif not found[2 * i] then
      undone[#undone + 1] = tasks[i]
    end
  end
  return closed, undone
end

-- The tasks of a lease: those that its record names, and the one under which it stands.
local function tasks_of(lease, last)
  local tasks = {}
  for i = 3, #lease do
    tasks[i - 2] = lease[i]
  end
  tasks[#tasks + 1] = last
  return tasks
end

local function drop_queue(prefix, depths, run, pool)
  local queue, dropped = prefix .. "{" .. run .. "}:queue:" .. pool, 0
  local length = redis.call("LLEN", queue)
  if length == 0 then
    return
  end
  for from = 0, length - 1, FIELDS_AT_ONCE do
    for _, packed in ipairs(redis.call("LRANGE", queue, from, from + FIELDS_AT_ONCE - 1)) do
      dropped = dropped + #cmsgpack.unpack(packed) - 1
    end
  end
  redis.call("UNLINK", queue)
  redis.call("LREM", prefix .. "pool:" .. pool, 1, run)
  count(depths, "q " .. pool, -dropped)
end
