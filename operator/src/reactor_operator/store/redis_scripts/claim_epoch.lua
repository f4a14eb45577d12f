#!lua
-- Makes the epoch one above everything seen, and answers it.
-- KEYS: epoch        ARGV: above
local epoch = math.max(tonumber(redis.call("GET", KEYS[1]) or "0"), tonumber(ARGV[1])) + 1
redis.call("SET", KEYS[1], string.format("%d", epoch))
return epoch
