#!lua
--include pools
-- Checks and records inbox entries of one or more runs, and rings the bell once for each run that got any.
-- KEYS: active leases depths, then for each run: header inbox tasks values leases
-- ARGV: channel, then for each run: run entries (task final binding digest body documents (digest document)*)*
-- Answers for each entry, in order: "recorded", "repeated", "conflict", "closed" or "unknown".
local next_argument = 2
local answers = {}

local function take_entries(count)
  local entries = {}
  for i = 1, count do
    local task, final, binding, digest, body, documents = unpack(ARGV, next_argument, next_argument + 5)
    local values_first = next_argument + 6
    next_argument = values_first + 2 * tonumber(documents)
    entries[i] = {
      task = task, final = final == "1", binding = binding, digest = digest, body = body,
      values_first = values_first, values_last = next_argument - 1,
    }
  end
  return entries
end

-- What is stored of the tasks that the entries speak for: one read for all of them.
local function read_tasks(key, entries)
  local tasks, names, fields = {}, {}, {}
  local function read()
    local found = #fields > 0 and redis.call("HMGET", key, unpack(fields)) or {}
    for i, name in ipairs(names) do
      local at = 4 * i
      tasks[name] = {
        open = found[at - 3], binding = found[at - 2], outcome = found[at - 1], seen = found[at] or " ",
      }
    end
    names, fields = {}, {}
  end
  for _, entry in ipairs(entries) do
    local task = entry.task
    if task ~= "" and not tasks[task] then
      tasks[task] = true
      names[#names + 1] = task
      local at = #fields
      fields[at + 1], fields[at + 2] = "r:" .. task, "b:" .. task
      fields[at + 3], fields[at + 4] = "o:" .. task, "s:" .. task
      if #fields >= FIELDS_AT_ONCE then
        read()
      end
    end
  end
  read()
  return tasks
end

local function check_for_task(task, entry)
  if not task.open then
    return "closed"
  end
  if entry.binding ~= "" and task.binding and task.binding ~= entry.binding then
    return "conflict"
  end
  if string.find(task.seen, " " .. entry.digest .. " ", 1, true) then
    return "repeated"
  end
  if task.outcome then
    return "conflict"
  end
  task.seen = task.seen .. entry.digest .. " "
  if entry.binding ~= "" and not task.binding then
    task.binding = entry.binding
    task.newly_bound = true
  end
  if entry.final then
    task.outcome = entry.digest
  end
  return "recorded"
end

-- Ends the leases that these outcomes complete: those of which they are the last task.
local function end_leases(run, names, tasks_key, leases)
  local done, ids, pools = {}, {}, {}
  for i, packed in ipairs(read_fields(leases, names)) do
    local lease = packed and cmsgpack.unpack(packed)
    local others = lease and tasks_of(lease)
    local _, undone = look_at(tasks_key, others or {})
    if lease and #undone == 0 then
      done[#done + 1], ids[#ids + 1] = names[i], run .. "/" .. names[i]
      if lease[2] then
        pools[lease[1]] = (pools[lease[1]] or 0) + 1 + #others
      end
    end
  end
  in_batches("HDEL", leases, done)
  in_batches("ZREM", KEYS[2], ids)
  for pool, ended in pairs(pools) do
    count(KEYS[3], "l " .. pool, -ended)
  end
end

local function append_to(run, entries, header, inbox, tasks_key, values, leases)
  local stored = redis.call("HMGET", header, "active", "position", "signals")
  if not stored[1] then
    for _ = 1, #entries do
      answers[#answers + 1] = "unknown"
    end
    return
  end
  local position, signals = tonumber(stored[2] or "0"), stored[3] or " "
  local tasks = read_tasks(tasks_key, entries)
  local bodies, documents, changed = {}, {}, {}
  local hurry, new_signal, repeated = false, false, false
  for _, entry in ipairs(entries) do
    local answer, task = "recorded", tasks[entry.task]
    if task then
      answer = check_for_task(task, entry)
    elseif string.find(signals, " " .. entry.digest .. " ", 1, true) then
      answer = "repeated"
    else
      signals, new_signal = signals .. entry.digest .. " ", true
    end
    if answer == "recorded" then
      bodies[#bodies + 1] = entry.body
      if task then
        if not task.position then
          changed[#changed + 1] = entry.task
        end
        task.position = position + #bodies
      end
      for i = entry.values_first, entry.values_last do
        documents[#documents + 1] = ARGV[i]
      end
      hurry = hurry or entry.final or not task
    end
    repeated = repeated or answer == "repeated"
    answers[#answers + 1] = answer
  end
  if #bodies == 0 then
    if repeated then
      -- What was recorded may not be on disk yet; WAITAOF waits for the writes of its own connection alone: here is one.
      redis.call("HSET", header, "active", stored[1])
    end
    return
  end
  redis.call("HSET", header, "position", string.format("%d", position + #bodies))
  if new_signal then
    redis.call("HSET", header, "signals", signals)
  end
  local fields, done = {}, {}
  for _, name in ipairs(changed) do
    local task, at = tasks[name], #fields
    fields[at + 1], fields[at + 2] = "p:" .. name, string.format("%d", task.position)
    fields[at + 3], fields[at + 4] = "s:" .. name, task.seen
    at = at + 4
    if task.newly_bound then
      fields[at + 1], fields[at + 2] = "b:" .. name, task.binding
      at = at + 2
    end
    if task.outcome then
      fields[at + 1], fields[at + 2] = "o:" .. name, task.outcome
      if task.binding and string.sub(task.binding, 1, 5) == "pool/" then
        done[#done + 1] = name
      end
    end
  end
  in_batches("HSET", tasks_key, fields)
  if #done > 0 then
    end_leases(run, done, tasks_key, leases)
  end
  in_batches("HSET", values, documents)
  in_batches("RPUSH", inbox, bodies)
  if stored[1] ~= "1" then
    redis.call("SADD", KEYS[1], run) -- a request to a run that has ended: there is something to do again
  end
  redis.call("PUBLISH", ARGV[1], hurry and run or ("~" .. run)) -- "~": nothing follows from it at once
end

for i = 4, #KEYS, 5 do
  local run, count = ARGV[next_argument], tonumber(ARGV[next_argument + 1])
  next_argument = next_argument + 2
  append_to(run, take_entries(count), unpack(KEYS, i, i + 4))
end
return answers
