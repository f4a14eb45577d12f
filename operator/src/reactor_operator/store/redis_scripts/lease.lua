#!lua
--include pools
-- Takes chunks from the queue of a pool for a worker, one of each run in turn. All is read before anything is written:
-- where something that is stored is not as it should be, this fails and has changed nothing.
-- KEYS: pool leases depths
-- ARGV: prefix pool worker binding limit for_ms
-- Answers for each chunk: run ("": the one before) tasks (task record)*; its lease is RUN/LAST TASK.
local pool_key, leases_key, depths = unpack(KEYS)
local prefix, pool, worker, binding = unpack(ARGV, 1, 4)
local limit, for_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local newly_bound, lease_of_one = render_state(0, binding, "", ""), pool .. "\n" .. worker .. "\n"
local answer, answered, taken, queued, queues, run_before = {}, 0, 0, 0, {}, nil
local ready, first_ready = {}, 1 -- runs that are due; those that had their turn come after all others
local served, first_served = {}, 1
local turns, any_more, is_again = 0, true, false -- `turns`: runs that were read

local function next_run()
  if first_ready > #ready and any_more then
    ready, first_ready = redis.call("LRANGE", pool_key, turns, turns + limit - taken - 1), 1
    any_more = #ready == limit - taken
    turns = turns + #ready
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
    bound = {}, leased = {}, -- what is to be written
    removed = 0, looked_at = 0, next = 1, -- chunks, and the times before them
    chunks = {}, names = {}, found = {}, next_task = 1, -- those that were looked at: chunks are tasks, or lists of them
  }
  queue.length = redis.call("LLEN", queue.key)
  queues[run] = queue
  return queue
end

-- Reads the next chunks, about as many tasks as this run will be asked for.
local function look_ahead(queue)
  local runs = 1 + (#ready - first_ready + 1) + (#served - first_served + 1)
  local wanted = math.ceil((limit - taken) / runs)
  local chunks = redis.call("LRANGE", queue.key, queue.looked_at, queue.looked_at + wanted)
  local names, fields, at, looked_at = {}, {}, 0, 0
  for i, chunk in ipairs(chunks) do
    looked_at = i
    if find(chunk, " ", 2, true) then
      local tasks = tasks_in(chunk)
      chunks[i] = tasks
      for j = 1, #tasks do
        at = at + 1
        names[at], fields[2 * at - 1], fields[2 * at] = tasks[j], tasks[j], "+" .. tasks[j]
      end
    elseif byte(chunk) ~= SPACE then
      at = at + 1
      names[at], fields[2 * at - 1], fields[2 * at] = chunk, chunk, "+" .. chunk
    end
    if at >= wanted then
      break
    end
  end
  queue.looked_at = queue.looked_at + looked_at
  queue.chunks, queue.names, queue.next, queue.next_task = chunks, names, 1, 1
  queue.found = read_fields(queue.tasks_key, fields)
end

-- How many of these tasks may be leased: those that are open, without an outcome, and nobody's.
local function count_free(found, first, last)
  local tasks = 0
  for i = first, last do
    if found[2 * i] then
      local _, before, outcome = parse_state(found[2 * i])
      found[2 * i - 1] = before == "" and outcome == "" and found[2 * i - 1]
    end
    if found[2 * i - 1] then
      tasks = tasks + 1
    end
  end
  return tasks
end

-- Notes what is to be written and answered of a chunk.
local function take(queue, first, last, tasks)
  local names, found, bound, leased, lease = queue.names, queue.found, queue.bound, queue.leased, lease_of_one
  answer[answered + 1], answer[answered + 2] = queue.run ~= run_before and queue.run or "", tasks
  answered, run_before = answered + 2, queue.run
  local at = #bound
  for i = first, last do
    if found[2 * i - 1] then
      local state = newly_bound
      if found[2 * i] then
        local position, _, _, seen = parse_state(found[2 * i])
        state = render_state(position, binding, "", seen)
      end
      bound[at + 1], bound[at + 2] = "+" .. names[i], state
      answer[answered + 1], answer[answered + 2] = names[i], found[2 * i - 1]
      at, answered = at + 2, answered + 2
    end
  end
  if tasks > 1 then
    local others = {}
    for i = 1, tasks - 1 do
      others[i] = answer[answered - 2 * (tasks - i) - 1]
    end
    lease = lease .. table.concat(others, " ")
  end
  at = #leased
  leased[at + 1], leased[at + 2] = answer[answered - 1], lease
  taken = taken + tasks
end

-- Takes the first chunk of which anything may be done, and tells "taken"; those before it go. "too much" where it does
-- not fit, nothing where there is none.
local function serve(queue)
  while queue.removed < queue.length do
    if queue.removed == queue.looked_at then
      look_ahead(queue)
    end
    local chunk, first, last = queue.chunks[queue.next], queue.next_task, queue.next_task
    if type(chunk) == "table" then
      last = first + #chunk - 1
    elseif byte(chunk) == SPACE then
      last, queue.time = first - 1, chunk
    end
    local tasks = count_free(queue.found, first, last)
    if tasks > 0 and taken > 0 and taken + tasks > limit then
      return "too much"
    end
    queue.removed, queue.next, queue.next_task = queue.removed + 1, queue.next + 1, last + 1
    queued = queued + last - first + 1
    if tasks > 0 then
      take(queue, first, last, tasks)
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
local until_ms = string.format("%d", now_ms() + for_ms)
for run, queue in pairs(queues) do
  for i = 1, #queue.leased, 2 do
    scores[scores_at + 1], scores[scores_at + 2] = until_ms, run .. "/" .. queue.leased[i]
    scores_at = scores_at + 2
  end
end
in_batches("ZADD", leases_key, scores)
for _, queue in pairs(queues) do
  in_batches("HSET", queue.leases_key, queue.leased)
  in_batches("HSET", queue.tasks_key, queue.bound)
  if queue.removed > 0 then
    redis.call("LTRIM", queue.key, queue.removed, -1)
    if queue.removed < queue.length and byte(redis.call("LINDEX", queue.key, 0)) ~= SPACE then
      redis.call("LPUSH", queue.key, queue.time)
    end
  end
end
redis.call("LTRIM", pool_key, turns, -1)
in_batches("LPUSH", pool_key, left_ready)
in_batches("RPUSH", pool_key, left_served)
count(depths, "q " .. pool, -queued)
count(depths, "l " .. pool, taken)
return answer
