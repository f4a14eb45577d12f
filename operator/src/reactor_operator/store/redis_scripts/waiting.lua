#!lua flags=no-writes
-- Tells tasks that wait in the queue of a pool, those of each run in the order in which they were queued.
-- KEYS: pool        ARGV: prefix pool limit
-- Answers (run task)*.
local prefix, pool, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local answer = {}
for _, run in ipairs(redis.call("LRANGE", KEYS[1], 0, limit - 1)) do
  local queue = prefix .. "{" .. run .. "}:queue:" .. pool
  for _, packed in ipairs(redis.call("LRANGE", queue, 0, limit - #answer / 2 - 1)) do
    local chunk = cmsgpack.unpack(packed)
    for i = 2, #chunk do
      if #answer >= 2 * limit then
        return answer
      end
      answer[#answer + 1], answer[#answer + 2] = run, chunk[i]
    end
  end
end
return answer
