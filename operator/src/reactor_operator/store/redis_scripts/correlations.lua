-- What the scripts that deal with correlation ids share (they include it).
-- PREFIX:correlation:NAME     hash: the `run` and the `path` that hold it; those that held it last and `at` (ms) where it
--                             closed, and then Redis drops it in time
-- PREFIX:{RUN}:correlations   set: the names that a run holds
local function correlation_key(prefix, name)
  return prefix .. "correlation:" .. name
end

-- Whether a name is another's than this path's of this run, and not passed on to it.
local function is_taken(key, run, path, passed)
  local holder, held_by, at = unpack(redis.call("HMGET", key, "run", "path", "at"))
  return holder and not at and (holder ~= run or (held_by ~= path and passed ~= "1"))
end

local function take_name(names_key, key, name, run, path)
  redis.call("DEL", key) -- with its time, where it closed before
  redis.call("HSET", key, "run", run, "path", path)
  redis.call("SADD", names_key, name)
end

local function let_name_go(names_key, key, name, now, kept_ms)
  if redis.call("SREM", names_key, name) == 1 then
    redis.call("HSET", key, "at", now)
    redis.call("PEXPIRE", key, kept_ms)
  end
end

local function free_names(prefix, names_key)
  for _, name in ipairs(redis.call("SMEMBERS", names_key)) do
    redis.call("DEL", correlation_key(prefix, name))
  end
end
