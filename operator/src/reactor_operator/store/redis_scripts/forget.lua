#!lua flags=allow-oom
-- Deletes everything of a run; a full Redis must still be able to forget.
-- KEYS: active, then every key of the run        ARGV: run
redis.call("SREM", KEYS[1], ARGV[1])
redis.call("UNLINK", unpack(KEYS, 2))
return "forgotten"
