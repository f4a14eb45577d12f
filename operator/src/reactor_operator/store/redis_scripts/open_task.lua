#!lua flags=no-writes
--include pools
-- Reads an open task.
-- KEYS: tasks        ARGV: task
-- Answers nothing or {record, binding, outcome}.
local stored = redis.call("HGET", KEYS[1], ARGV[1])
if not stored then
  return false
end
local _, binding, outcome, _, record = parse_task(stored)
return {record, binding, outcome}
