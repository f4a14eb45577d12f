#!lua
--include pools
-- Renews leases of a worker, and ends those of which nothing is left to do.
-- KEYS: leases depths
-- ARGV: prefix pool worker for_ms (run last_task)*
-- Answers for each lease that is the worker's {its number, closed task*}.
local leases_key, depths = unpack(KEYS)
local prefix, pool, worker = unpack(ARGV, 1, 3)
local answer, renewed, ended, until_ms = {}, {}, 0, string.format("%d", now_ms() + tonumber(ARGV[4]))
for i = 5, #ARGV, 2 do
  local run, last = ARGV[i], ARGV[i + 1]
  local key = prefix .. "{" .. run .. "}:"
  local of_pool, of_worker, others, told = parse_lease(redis.call("HGET", key .. "leases", last) or "\n\n")
  if of_pool == pool and of_worker == worker and not told then
    local tasks = tasks_in(others .. " " .. last)
    local undone, closed = undone_of(key .. "tasks", tasks)
    table.insert(closed, 1, (i - 5) / 2)
    answer[#answer + 1] = closed
    if #undone > 0 then
      renewed[#renewed + 1], renewed[#renewed + 2] = until_ms, run .. "/" .. last
    else
      redis.call("HDEL", key .. "leases", last)
      redis.call("ZREM", leases_key, run .. "/" .. last)
      ended = ended + #tasks
    end
  end
end
in_batches("ZADD", leases_key, renewed)
count(depths, "l " .. pool, -ended)
return answer
