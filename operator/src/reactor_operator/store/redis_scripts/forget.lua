#!lua flags=allow-oom
-- Deletes everything of a run; a full Redis must still be able to forget.
-- KEYS: active, then every key of the run, its header first        ARGV: run
-- A claim that no stored run has any more begins to run out: its name stands in the header of each that has it.
local claim = redis.call("HGET", KEYS[2], "claim")
if claim and redis.call("EXISTS", claim) == 1 and redis.call("HINCRBY", claim, "runs", -1) <= 0 then
  redis.call("PEXPIRE", claim, redis.call("HGET", claim, "keep"))
end
redis.call("SREM", KEYS[1], ARGV[1])
redis.call("UNLINK", unpack(KEYS, 2))
return "forgotten"
