#!lua
-- Keeps the log of a task; the oldest logs of the run go where all of them are too large.
-- KEYS: header logs logged        ARGV: task body most_bytes
-- Answers 1, or 0 where the run is not stored.
local header, logs, logged = unpack(KEYS)
local task, body, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call("EXISTS", header) == 0 then
  return 0
end
local all = tonumber(redis.call("HGET", header, "logs") or "0") - redis.call("HSTRLEN", logs, task) + #body
redis.call("HSET", logs, task, body)
redis.call("LREM", logged, 1, task)
redis.call("RPUSH", logged, task)
while all > most and redis.call("LLEN", logged) > 1 do
  local oldest = redis.call("LPOP", logged)
  all = all - redis.call("HSTRLEN", logs, oldest)
  redis.call("HDEL", logs, oldest)
end
redis.call("HSET", header, "logs", string.format("%d", all))
return 1
