#!lua
--include pools
-- Ends leases that have run out, and tells their tasks that are open and have no outcome; those again after a while.
-- KEYS: leases depths
-- ARGV: prefix limit again_ms
-- Answers (run task)*.
local leases_key, depths = unpack(KEYS)
local prefix, limit = ARGV[1], tonumber(ARGV[2])
local answer, now = {}, now_ms()
local until_now, again = string.format("%d", now), string.format("%d", now + tonumber(ARGV[3]))
while #answer < 2 * limit do
  local ids = redis.call("ZRANGE", leases_key, "-inf", until_now, "BYSCORE", "LIMIT", 0, 100)
  if #ids == 0 then
    break
  end
  for _, id in ipairs(ids) do
    if #answer >= 2 * limit then
      break
    end
    local run, last = string.match(id, "^([^/]*)/(.*)$")
    local key = prefix .. "{" .. run .. "}:"
    local lease = redis.call("HGET", key .. "leases", last) or "!\n\n"
    local pool, _, others, told = parse_lease(lease)
    local tasks = tasks_in(others .. " " .. last)
    local undone = undone_of(key .. "tasks", tasks)
    if not told then
      count(depths, "l " .. pool, -#tasks)
      redis.call("HSET", key .. "leases", last, "!" .. lease)
    end
    if #undone == 0 then
      redis.call("HDEL", key .. "leases", last)
      redis.call("ZREM", leases_key, id)
    else
      redis.call("ZADD", leases_key, again, id)
      for _, task in ipairs(undone) do
        answer[#answer + 1], answer[#answer + 2] = run, task
      end
    end
  end
end
return answer
