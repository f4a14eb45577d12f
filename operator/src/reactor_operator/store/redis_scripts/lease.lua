#!lua
--include pools
-- Takes chunks from the queue of a pool for a worker, one of each run in turn.
-- KEYS: pool leases depths
-- ARGV: prefix pool worker binding limit for_ms
-- Answers for each chunk {run, (task record)*}; its lease is RUN/LAST TASK.
local pool_key, leases_key, depths = unpack(KEYS)
local prefix, pool, worker, binding = unpack(ARGV, 1, 4)
local limit, for_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local newly_bound, lease_of_one = render_task(0, binding, "", "", ""), pool .. "\n" .. worker .. "\n"
local answer, chunks_taken, taken, queued, queues = {}, 0, 0, 0, {}
local ready, first_ready = {}, 1 -- runs that are due; those that had their turn come after all others
local served, first_served = {}, 1
local any_more, is_again = true, false

local function next_run()
  if first_ready > #ready and any_more then
    ready, first_ready = redis.call("LPOP", pool_key, limit - taken) or {}, 1
    any_more = #ready == limit - taken
  end
  is_again = first_ready > #ready
  if not is_again then
    first_ready = first_ready + 1
    return ready[first_ready - 1]
  end
  if first_served <= #served then
    first_served = first_served + 1
    return served[first_served - 1]
  end
end

local function put_back()
  if is_again then
    first_served = first_served - 1
  else
    first_ready = first_ready - 1
  end
end

local function queue_of(run)
  local base = prefix .. "{" .. run .. "}:"
  local queue = {
    run = run, key = base .. "queue:" .. pool, tasks_key = base .. "tasks", leases_key = base .. "leases",
    bound = {}, bound_at = 0, leased = {}, leased_at = 0, -- what is to be written
    removed = 0, looked_at = 0, next = 1, -- chunks, and the times before them
    chunks = {}, names = {}, stored = {}, next_task = 1, -- those that were looked at: chunks are tasks, or lists of them
  }
  queue.length = redis.call("LLEN", queue.key)
  queues[run] = queue
  return queue
end

-- Reads the next chunks, about as many tasks as this run will be asked for.
local function look_ahead(queue)
  local runs = 1 + (#ready - first_ready + 1) + (#served - first_served + 1)
  local wanted = math.ceil((limit - taken) / runs)
  local chunks, names, at = redis.call("LRANGE", queue.key, queue.looked_at, queue.looked_at + wanted), {}, 0
  for i, chunk in ipairs(chunks) do
    queue.looked_at = queue.looked_at + 1
    if string.find(chunk, " ", 2, true) then
      local tasks = tasks_in(chunk)
      chunks[i] = tasks
      for j = 1, #tasks do
        names[at + j] = tasks[j]
      end
      at = at + #tasks
    elseif string.byte(chunk) ~= SPACE then
      at = at + 1
      names[at] = chunk
    end
    if at >= wanted then
      break
    end
  end
  queue.chunks, queue.names, queue.next, queue.next_task = chunks, names, 1, 1
  queue.stored = read_fields(queue.tasks_key, names)
end

-- The record of a task that may be leased, and the task as it is then stored; nothing where it may not be.
local function bind(stored)
  if not stored then
    return
  end
  if string.byte(stored) == UNHEARD then
    local record = string.sub(stored, 2)
    return record, newly_bound .. record
  end
  local position, before, outcome, seen, record = parse_task(stored)
  if before == "" and outcome == "" then
    return record, render_task(position, binding, "", seen, record)
  end
end

-- Notes what is to be written of a chunk that is leased.
local function take(queue, first, last)
  local names, stored, bound, at = queue.names, queue.stored, queue.bound, queue.bound_at
  local row, tasks = {queue.run, false, false}, 0
  for i = first, last do
    local record, bound_task = bind(stored[i])
    if record then
      bound[at + 1], bound[at + 2] = names[i], bound_task
      at, tasks = at + 2, tasks + 1
      row[2 * tasks], row[2 * tasks + 1] = names[i], record
    end
  end
  local lease, leased_at = lease_of_one, queue.leased_at
  if tasks > 1 then
    local others = {}
    for i = 1, tasks - 1 do
      others[i] = row[2 * i]
    end
    lease = lease_of_one .. table.concat(others, " ")
  end
  queue.leased[leased_at + 1], queue.leased[leased_at + 2] = row[2 * tasks], lease
  queue.bound_at, queue.leased_at = at, leased_at + 2
  taken, chunks_taken = taken + tasks, chunks_taken + 1
  answer[chunks_taken] = row
end

local function count_free(stored, first, last)
  local tasks = 0
  for i = first, last do
    if stored[i] and (string.byte(stored[i]) == UNHEARD or bind(stored[i])) then
      tasks = tasks + 1
    end
  end
  return tasks
end

-- Takes the first chunk of which anything may be done, and tells "taken"; those before it go. "too much" where it does
-- not fit, nothing where there is none.
local function serve(queue)
  while queue.removed < queue.length do
    local chunk = queue.chunks[queue.next]
    if not chunk or queue.removed == queue.looked_at then
      look_ahead(queue)
      chunk = queue.chunks[1]
    end
    local size = 1
    if type(chunk) == "table" then
      size = #chunk
    elseif string.byte(chunk) == SPACE then
      size, queue.time = 0, chunk
    end
    local first = queue.next_task
    local tasks = count_free(queue.stored, first, first + size - 1)
    if tasks > 0 and taken > 0 and taken + tasks > limit then
      return "too much"
    end
    queue.removed, queue.next, queue.next_task = queue.removed + 1, queue.next + 1, first + size
    queued = queued + size
    if tasks > 0 then
      take(queue, first, first + size - 1)
      return "taken"
    end
  end
end

while taken < limit do
  local run = next_run()
  if not run then
    break
  end
  local queue = queues[run] or queue_of(run)
  local how = serve(queue)
  if how == "too much" then
    put_back()
    break
  end
  if how == "taken" and queue.removed < queue.length then
    served[#served + 1] = run
  end
end

if next(queues) == nil then
  return answer
end
local left_ready, left_served, scores, scores_at = {}, {}, {}, 0
for i = #ready, first_ready, -1 do
  left_ready[#left_ready + 1] = ready[i]
end
for i = first_served, #served do
  left_served[#left_served + 1] = served[i]
end
in_batches("LPUSH", pool_key, left_ready)
in_batches("RPUSH", pool_key, left_served)
local until_ms = string.format("%d", now_ms() + for_ms)
for run, queue in pairs(queues) do
  if queue.removed > 0 then
    redis.call("LTRIM", queue.key, queue.removed, -1)
    if queue.removed < queue.length then
      local head = redis.call("LINDEX", queue.key, 0)
      if string.byte(head) ~= SPACE then
        redis.call("LPUSH", queue.key, queue.time)
      end
    end
  end
  in_batches("HSET", queue.tasks_key, queue.bound)
  in_batches("HSET", queue.leases_key, queue.leased)
  for i = 1, queue.leased_at, 2 do
    scores[scores_at + 1], scores[scores_at + 2] = until_ms, run .. "/" .. queue.leased[i]
    scores_at = scores_at + 2
  end
end
in_batches("ZADD", leases_key, scores)
count(depths, "q " .. pool, -queued)
count(depths, "l " .. pool, taken)
return answer
