#!lua flags=no-writes
--include pools
-- Tells tasks that wait in the queue of a pool, those of each run in the order in which they were queued. Runs share the
-- limit equally; what one leaves goes to those after it.
-- KEYS: pool        ARGV: prefix pool limit
-- Answers (run task)*.
local prefix, pool, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local answer, answered = {}, 0
if limit < 1 then
  return answer
end
local runs = redis.call("LRANGE", KEYS[1], 0, limit - 1)

local function tell(run, share)
  local queue, told, from = prefix .. "{" .. run .. "}:queue:" .. pool, 0, 0
  while told < share do
    local chunks = redis.call("LRANGE", queue, from, from + share)
    for _, chunk in ipairs(chunks) do
      for _, task in ipairs(byte(chunk) ~= SPACE and tasks_in(chunk) or {}) do
        if told == share then
          return
        end
        answer[2 * answered + 1], answer[2 * answered + 2] = run, task
        answered, told = answered + 1, told + 1
      end
    end
    from = from + #chunks
    if #chunks <= share then
      return
    end
  end
end

for i, run in ipairs(runs) do
  tell(run, math.ceil((limit - answered) / (#runs - i + 1)))
end
return answer
