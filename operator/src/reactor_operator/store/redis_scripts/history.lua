#!lua flags=no-writes
-- Reads entries of the history of a run.
-- KEYS: header history        ARGV: after limit
-- Answers {the number of the newest entry, how many are kept, the number of the first one told, {entry*}}.
local last = tonumber(redis.call("HGET", KEYS[1], "history") or "0")
local kept = redis.call("LLEN", KEYS[2])
local skipped = math.max(tonumber(ARGV[1]) - (last - kept), 0)
local limit = tonumber(ARGV[2])
local entries = limit > 0 and redis.call("LRANGE", KEYS[2], skipped, skipped + limit - 1) or {}
return {last, kept, last - kept + skipped + 1, entries}
