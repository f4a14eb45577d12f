#!lua flags=allow-oom
--include pools
--include correlations
-- Deletes everything of a run; a full Redis must still be able to forget.
-- KEYS: active leases depths, then every key of the run, its header first        ARGV: run prefix
-- Correlation ids that it holds are free. A claim that no stored run has any more begins to run out: its name stands in the header of each that has it.
local run, prefix = unpack(ARGV)
local claim, pools = unpack(redis.call("HMGET", KEYS[4], "claim", "pools"))
if claim and redis.call("EXISTS", claim) == 1 and redis.call("HINCRBY", claim, "runs", -1) <= 0 then
  redis.call("PEXPIRE", claim, redis.call("HGET", claim, "keep"))
end
for pool in string.gmatch(pools or "", "%S+") do
  drop_queue(prefix, KEYS[3], run, pool)
end
free_names(prefix, prefix .. "{" .. run .. "}:correlations")
local leased = pools and redis.call("HGETALL", prefix .. "{" .. run .. "}:leases") or {}
for i = 1, #leased, 2 do
  local pool, _, others, told = parse_lease(leased[i + 1])
  redis.call("ZREM", KEYS[2], run .. "/" .. leased[i])
  if not told then
    count(KEYS[3], "l " .. pool, -#tasks_in(others) - 1)
  end
end
redis.call("SREM", KEYS[1], run)
redis.call("UNLINK", unpack(KEYS, 4))
return "forgotten"
