#!lua flags=no-writes
--include pools
-- Reads an open task.
-- KEYS: tasks        ARGV: task
-- Answers nothing or {record, binding, outcome}.
local record, state = unpack(redis.call("HMGET", KEYS[1], ARGV[1], "+" .. ARGV[1]))
local _, binding, outcome = parse_state(state)
return record and {record, binding, outcome}
