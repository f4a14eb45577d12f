#!lua
-- Checks and records an inbox entry, and rings the bell.
-- KEYS: header inbox tasks values active
-- ARGV: channel run task final binding digest body (digest document)*
-- Answers "recorded", "repeated", "conflict", "closed" or "unknown".
local header, inbox, tasks, values, active_key = unpack(KEYS)
local channel, run, task, final, binding, digest, body = unpack(ARGV, 1, 7)

local stored = redis.call("HMGET", header, "active", "position", "signals")
if not stored[1] then
  return "unknown"
end
local position = tonumber(stored[2] or "0") + 1
local function is_in(list)
  return list and string.find(list, " " .. digest .. " ", 1, true)
end

-- What was recorded may not be on disk yet; WAITAOF waits for the writes of its own connection alone, so here is one.
local function repeated()
  redis.call("HSET", header, "active", stored[1])
  return "repeated"
end

if task == "" then
  if is_in(stored[3]) then
    return repeated()
  end
  redis.call("HSET", header, "position", string.format("%d", position), "signals", (stored[3] or " ") .. digest .. " ")
else
  local open = redis.call("HMGET", tasks, "r:" .. task, "b:" .. task, "o:" .. task, "s:" .. task)
  if not open[1] then
    return "closed"
  end
  if binding ~= "" and open[2] and open[2] ~= binding then
    return "conflict"
  end
  if is_in(open[4]) then
    return repeated()
  end
  if open[3] then
    return "conflict"
  end
  local at = string.format("%d", position)
  redis.call("HSET", header, "position", at)
  redis.call("HSET", tasks, "p:" .. task, at, "s:" .. task, (open[4] or " ") .. digest .. " ")
  if binding ~= "" and not open[2] then
    redis.call("HSET", tasks, "b:" .. task, binding)
  end
  if final == "1" then
    redis.call("HSET", tasks, "o:" .. task, digest)
  end
end
for i = 8, #ARGV, 2 do
  redis.call("HSET", values, ARGV[i], ARGV[i + 1])
end
redis.call("RPUSH", inbox, body)
if stored[1] ~= "1" then
  redis.call("SADD", active_key, run) -- a request to a run that has ended: there is something to do again
end
-- "~": there is no hurry, for nothing follows from it at once
redis.call("PUBLISH", channel, (task ~= "" and final ~= "1") and ("~" .. run) or run)
return "recorded"
