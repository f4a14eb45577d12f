#!lua flags=no-writes
-- Reads a run; its records and outbox only where the revision is not the one the caller has.
-- KEYS: header records inbox outbox        ARGV: known_revision
-- Answers nothing, {revision, first_position, inbox} or {revision, first_position, inbox, records, outbox}.
local stored = redis.call("HMGET", KEYS[1], "revision", "position")
if not stored[1] then
  return false
end
local inbox = redis.call("LRANGE", KEYS[3], 0, -1)
local first_position = string.format("%d", tonumber(stored[2] or "0") - #inbox + 1)
if stored[1] == ARGV[1] then
  return {stored[1], first_position, inbox}
end
return {stored[1], first_position, inbox, redis.call("HGETALL", KEYS[2]), redis.call("HGETALL", KEYS[4])}
