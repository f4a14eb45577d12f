#!lua flags=no-writes
--include pools
-- Tells how much waits in each pool.
-- KEYS: depths        ARGV: prefix
-- Answers for each pool {pool, queued, leased, for how long (ms) the oldest has waited}.
local prefix, now, pools, answer = ARGV[1], now_ms(), {}, {}
local found = redis.call("HGETALL", KEYS[1])
for i = 1, #found, 2 do
  local kind, pool = string.match(found[i], "^(.) (.*)$")
  pools[pool] = pools[pool] or {q = 0, l = 0}
  pools[pool][kind] = tonumber(found[i + 1])
end
for pool, depth in pairs(pools) do
  local oldest = now
  for _, run in ipairs(redis.call("LRANGE", prefix .. "pool:" .. pool, 0, -1)) do
    local queued_at = redis.call("LINDEX", prefix .. "{" .. run .. "}:queue:" .. pool, 0)
    oldest = math.min(oldest, tonumber(queued_at or now))
  end
  answer[#answer + 1] = {pool, depth.q, depth.l, now - oldest}
end
return answer
