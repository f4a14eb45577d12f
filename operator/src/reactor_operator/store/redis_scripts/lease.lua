#!lua
--include pools
-- Takes chunks from the queue of a pool for a worker, one of each run in turn.
-- KEYS: pool leases depths
-- ARGV: prefix pool worker binding limit for_ms
-- Answers for each chunk {run, (task record)*}; its lease is RUN/LAST TASK.
local pool_key, leases_key, depths = unpack(KEYS)
local prefix, pool, worker, binding = unpack(ARGV, 1, 4)
local limit, for_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local answer, taken, queued, queues = {}, 0, 0, {}
local ready, first_ready = {}, 1 -- runs that are due; those that had their turn come after all others
local served, first_served = {}, 1
local any_more = true

local function next_run()
  if first_ready > #ready and any_more then
    ready, first_ready = redis.call("LPOP", pool_key, limit - taken) or {}, 1
    any_more = #ready == limit - taken
  end
  if first_ready <= #ready then
    first_ready = first_ready + 1
    return ready[first_ready - 1], function() first_ready = first_ready - 1 end
  end
  if first_served <= #served then
    first_served = first_served + 1
    return served[first_served - 1], function() first_served = first_served - 1 end
  end
end

local function queue_of(run)
  local queue = queues[run]
  if not queue then
    local base = prefix .. "{" .. run .. "}:"
    queue = {
      run = run, key = base .. "queue:" .. pool, tasks_key = base .. "tasks", leases_key = base .. "leases",
      looked_at = 0, removed = 0, chunks = {}, first = 1, bound = {}, leased = {},
    }
    queue.length = redis.call("LLEN", queue.key)
    queues[run] = queue
  end
  return queue
end

-- Reads the next chunks, about as many tasks as this run will be asked for.
local function look_ahead(queue)
  local runs = 1 + (#ready - first_ready + 1) + (#served - first_served + 1)
  local wanted = math.ceil((limit - taken) / runs)
  local fields, sizes, chunks = {}, {}, {}
  for i, packed in ipairs(redis.call("LRANGE", queue.key, queue.looked_at, queue.looked_at + wanted - 1)) do
    local chunk = cmsgpack.unpack(packed)
    local at = #fields
    for j = 2, #chunk do
      local task = chunk[j]
      fields[at + 1], fields[at + 2], fields[at + 3] = "r:" .. task, "b:" .. task, "o:" .. task
      at = at + 3
    end
    chunks[i] = chunk
    if at >= 3 * wanted then
      break
    end
  end
  queue.looked_at = queue.looked_at + #chunks
  queue.chunks, queue.first = chunks, 1
  local found, at = read_fields(queue.tasks_key, fields), 0
  for i = 1, #chunks do
    local chunk, left = chunks[i], {}
    for j = 2, #chunk do
      if found[at + 1] and not found[at + 2] and not found[at + 3] then
        left[#left + 1], left[#left + 2] = chunk[j], found[at + 1]
      end
      at = at + 3
    end
    chunks[i] = {size = #chunk - 1, left = left}
  end
end

local function remove(queue, chunk)
  queue.first, queue.removed, queued = queue.first + 1, queue.removed + 1, queued + chunk.size
end

-- The first chunk of which anything may be done; those before it go.
local function next_chunk(queue)
  while queue.removed < queue.length do
    if queue.first > #queue.chunks then
      look_ahead(queue)
    end
    local chunk = queue.chunks[queue.first]
    if #chunk.left > 0 then
      return chunk
    end
    remove(queue, chunk)
  end
end

local function take(queue, chunk)
  local left, bound, leased = chunk.left, queue.bound, queue.leased
  local lease = {pool, worker}
  for i = 1, #left, 2 do
    bound[#bound + 1], bound[#bound + 2] = "b:" .. left[i], binding
    if i < #left - 1 then
      lease[#lease + 1] = left[i]
    end
  end
  leased[#leased + 1], leased[#leased + 2] = left[#left - 1], cmsgpack.pack(lease)
  taken = taken + #left / 2
  table.insert(left, 1, queue.run)
  answer[#answer + 1] = left
end

while taken < limit do
  local run, put_back = next_run()
  if not run then
    break
  end
  local queue = queue_of(run)
  local chunk = next_chunk(queue)
  if chunk and taken > 0 and taken + #chunk.left / 2 > limit then
    put_back()
    break
  end
  if chunk then
    remove(queue, chunk)
    take(queue, chunk)
    if queue.removed < queue.length then
      served[#served + 1] = run
    end
  end
end

if next(queues) == nil then
  return answer
end
local left_ready, left_served, scores = {}, {}, {}
for i = #ready, first_ready, -1 do
  left_ready[#left_ready + 1] = ready[i]
end
for i = first_served, #served do
  left_served[#left_served + 1] = served[i]
end
in_batches("LPUSH", pool_key, left_ready)
in_batches("RPUSH", pool_key, left_served)
local until_ms = #answer > 0 and string.format("%d", now_ms() + for_ms)
for run, queue in pairs(queues) do
  if queue.removed > 0 then
    redis.call("LTRIM", queue.key, queue.removed, -1)
  end
  in_batches("HSET", queue.tasks_key, queue.bound)
  in_batches("HSET", queue.leases_key, queue.leased)
  for i = 1, #queue.leased, 2 do
    scores[#scores + 1], scores[#scores + 2] = until_ms, run .. "/" .. queue.leased[i]
  end
end
in_batches("ZADD", leases_key, scores)
count(depths, "q " .. pool, -queued)
count(depths, "l " .. pool, taken)
return answer
