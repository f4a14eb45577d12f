#!lua flags=allow-oom
-- Deletes everything of a run; a full Redis must still be able to forget.
-- KEYS: active, then every key of the run, its header first        ARGV: run
-- A claim that it still holds begins to run out: its name stands in the header.
local claim = redis.call("HGET", KEYS[2], "claim")
if claim and redis.call("HGET", claim, "run") == ARGV[1] and redis.call("PTTL", claim) == -1 then
  redis.call("PEXPIRE", claim, redis.call("HGET", claim, "keep"))
end
redis.call("SREM", KEYS[1], ARGV[1])
redis.call("UNLINK", unpack(KEYS, 2))
return "forgotten"
