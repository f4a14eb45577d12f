-- What the scripts that deal with tasks, queues and leases share (they include it).
-- PREFIX:{RUN}:tasks        hash: the record of each open task; and under "+TASK", once somebody has it or anything was
--                           heard of it, its state (`parse_state`)
-- PREFIX:pool:POOL          list: the runs that have something queued, in the order of their turns
-- PREFIX:{RUN}:queue:POOL   list: chunks, each the tasks in it with spaces between; before those that one commit queued
--                           stands a space and the time (ms)
-- PREFIX:{RUN}:leases       hash: by the last task of a chunk lines that say pool, worker, and the tasks before it, with
--                           spaces between; "!" before them once the lease has run out
-- PREFIX:leases             sorted set: RUN/LAST TASK by the time (ms) at which the lease runs out
-- PREFIX:depths             hash: "q POOL" how many tasks are queued, "l POOL" how many are leased
-- The header of a run has in `pools` the pools that it ever queued something for, each between spaces.
-- Tables, patterns and strings are what costs time here: what happens to each of thousands of tasks makes few of them.
local FIELDS_AT_ONCE = 2000 -- unpack() cannot put more than some 8,000 on the stack
local byte, find = string.byte, string.find -- what is local is found faster
local SPACE = byte(" ")

local function now_ms()
  local time = redis.call("TIME")
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function in_batches(command, key, members)
  local last = #members
  for from = 1, last, FIELDS_AT_ONCE do
    redis.call(command, key, unpack(members, from, math.min(from + FIELDS_AT_ONCE - 1, last)))
  end
end

local function read_fields(key, fields)
  local last = #fields
  if last <= FIELDS_AT_ONCE then
    return last > 0 and redis.call("HMGET", key, unpack(fields)) or {}
  end
  local found = {}
  for from = 1, last, FIELDS_AT_ONCE do
    for i, value in ipairs(redis.call("HMGET", key, unpack(fields, from, math.min(from + FIELDS_AT_ONCE - 1, last)))) do
      found[from + i - 1] = value
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

-- The state of an open task: the position of its newest entry, its binding, the digest of its outcome, and those of its
-- other entries, between spaces. Nothing is 0 and "".
local STATE = "<dI4c0I4c0I4c0"
local function parse_state(state)
  if state then
    return struct.unpack(STATE, state)
  end
  return 0, "", "", ""
end

local function render_state(position, binding, outcome, seen)
  return struct.pack(STATE, position, #binding, binding, #outcome, outcome, #seen, seen)
end

local function tasks_in(chunk)
  local tasks = {}
  for task in string.gmatch(chunk, "%S+") do
    tasks[#tasks + 1] = task
  end
  return tasks
end

-- The pool of a lease, its worker, the tasks in it before the last one (with spaces between), and whether it has run out.
local function parse_lease(stored)
  local told, pool, worker, others = string.match(stored, "^(!?)([^\n]*)\n([^\n]*)\n(.*)$")
  return pool, worker, others, told ~= ""
end

-- Which of these tasks are open and have no outcome, and which are closed.
local function undone_of(tasks_key, tasks)
  local fields, closed, undone = {}, {}, {}
  for i = 1, #tasks do
    fields[2 * i - 1], fields[2 * i] = tasks[i], "+" .. tasks[i]
  end
  local found = read_fields(tasks_key, fields)
  for i = 1, #tasks do
    if not found[2 * i - 1] then
      closed[#closed + 1] = tasks[i]
    elseif select(3, parse_state(found[2 * i])) == "" then
      undone[#undone + 1] = tasks[i]
    end
  end
  return undone, closed
end

local function drop_queue(prefix, depths, run, pool)
  local queue, dropped = prefix .. "{" .. run .. "}:queue:" .. pool, 0
  local length = redis.call("LLEN", queue)
  for from = 0, length - 1, FIELDS_AT_ONCE do
    for _, chunk in ipairs(redis.call("LRANGE", queue, from, from + FIELDS_AT_ONCE - 1)) do
      if byte(chunk) ~= SPACE then
        dropped = dropped + #tasks_in(chunk)
      end
    end
  end
  if length > 0 then
    redis.call("UNLINK", queue)
    redis.call("LREM", prefix .. "pool:" .. pool, 1, run)
    count(depths, "q " .. pool, -dropped)
  end
end
