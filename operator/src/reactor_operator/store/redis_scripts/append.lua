#!lua
--include pools
-- Checks and records inbox entries of one or more runs, and rings the bell once for each run that got any.
-- KEYS: active leases depths, then for each run: header inbox tasks values leases
-- ARGV: channel, then for each run: run entries (task final binding digest body documents (digest document)*)*
-- Answers for each entry, in order: "recorded", "repeated", "conflict", "closed" or "unknown".
local OF_WORKERS = "pool/" -- how the bindings of workers begin
local answers, answered, at = {}, 0, 2 -- `at`: the next argument

local function is_in(list, digest)
  return list ~= "" and string.find(list, " " .. digest .. " ", 1, true)
end

-- The tasks that these entries speak for, as they are stored.
local function read_tasks(key, entries)
  local names, tasks, arg = {}, {}, at
  for i = 1, entries do
    names[i] = ARGV[arg]
    arg = arg + 6 + 2 * tonumber(ARGV[arg + 5])
  end
  for i, found in ipairs(read_fields(key, names)) do
    tasks[names[i]] = found
  end
  return tasks
end

-- Ends the leases that these outcomes complete: those of which they are the last task.
local function end_leases(run, names, tasks_key, leases)
  local done, ids, ended_of = {}, {}, {}
  local known, pool, tasks, told -- most leases of a worker are the same but for their task
  for i, lease in ipairs(read_fields(leases, names)) do
    if lease and lease ~= known then
      local _, others
      known, pool, _, others, told = lease, parse_lease(lease)
      tasks = tasks_in(others)
    end
    if lease and (#tasks == 0 or #undone_of(tasks_key, tasks) == 0) then
      done[#done + 1], ids[#ids + 1] = names[i], run .. "/" .. names[i]
      if not told then
        ended_of[pool] = (ended_of[pool] or 0) + #tasks + 1
      end
    end
  end
  in_batches("HDEL", leases, done)
  in_batches("ZREM", KEYS[2], ids)
  for of_pool, ended in pairs(ended_of) do
    count(KEYS[3], "l " .. of_pool, -ended)
  end
end

local function append_to(run, entries, header, inbox, tasks_key, values, leases)
  local stored = redis.call("HMGET", header, "active", "position", "signals")
  local position, signals = tonumber(stored[2] or "0"), stored[3] or ""
  local tasks = stored[1] and read_tasks(tasks_key, entries)
  local bodies, documents, changed, done = {}, {}, {}, {}
  local recorded, changes, documented = 0, 0, 0
  local hurry, new_signal, repeated = false, false, false
  for _ = 1, entries do
    local task, final, binding, digest, body, documents_here = unpack(ARGV, at, at + 5)
    local last = at + 5 + 2 * tonumber(documents_here)
    local answer, stored_task = "recorded", tasks and tasks[task]
    if not tasks then
      answer = "unknown"
    elseif task == "" then
      if is_in(signals, digest) then
        answer = "repeated"
      else
        signals, new_signal = (signals == "" and " " or signals) .. digest .. " ", true
      end
    elseif not stored_task then
      answer = "closed"
    else
      local newest, bound, outcome, seen, record = parse_task(stored_task)
      if binding ~= "" and bound ~= "" and binding ~= bound then
        answer = "conflict"
      elseif digest == outcome or is_in(seen, digest) then
        answer = "repeated"
      elseif outcome ~= "" then
        answer = "conflict"
      else
        if bound == "" then
          bound = binding
        end
        if final == "1" then
          outcome = digest
          if string.sub(bound, 1, #OF_WORKERS) == OF_WORKERS then
            done[#done + 1] = task
          end
        else
          seen = (seen == "" and " " or seen) .. digest .. " "
        end
        if newest <= position then -- else it is among them already
          changes = changes + 1
          changed[changes] = task
        end
        tasks[task] = render_task(position + recorded + 1, bound, outcome, seen, record)
      end
    end
    if answer == "recorded" then
      recorded = recorded + 1
      bodies[recorded] = body
      for i = at + 6, last do
        documented = documented + 1
        documents[documented] = ARGV[i]
      end
      hurry = hurry or final == "1" or task == ""
    elseif answer == "repeated" then
      repeated = true
    end
    answered = answered + 1
    answers[answered] = answer
    at = last + 1
  end
  if recorded == 0 then
    if repeated then
      -- What was recorded may not be on disk yet; WAITAOF waits for the writes of its own connection alone: here is one.
      redis.call("HSET", header, "active", stored[1])
    end
    return
  end
  redis.call("HSET", header, "position", string.format("%d", position + recorded))
  if new_signal then
    redis.call("HSET", header, "signals", signals)
  end
  local fields = {}
  for i = 1, #changed do
    fields[2 * i - 1], fields[2 * i] = changed[i], tasks[changed[i]]
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
  local run, entries = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  append_to(run, entries, unpack(KEYS, i, i + 4))
end
return answers
