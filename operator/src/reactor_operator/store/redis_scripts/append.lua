#!lua
--include pools
-- Checks and records inbox entries of one or more runs, and rings the bell once for each run that got any.
-- KEYS: active leases depths, then for each run: header inbox tasks values leases
-- ARGV: channel, then for each run: run entries (task final binding digest body documents (digest document)*)*
-- Answers for each entry, in order: "recorded", "repeated", "conflict", "closed" or "unknown".
local OF_WORKERS = "pool/" -- how the bindings of workers begin
local answers, answered, at = {}, 0, 2 -- `at`: the next argument

local function is_in(list, digest)
  return list ~= "" and find(list, " " .. digest .. " ", 1, true)
end

-- The states of the tasks that these entries speak for: false where nothing was heard of one, nothing where it is closed.
local function read_states(tasks_key, entries)
  local names, fields, unheard, states, arg = {}, {}, {}, {}, at
  for i = 1, entries do
    names[i], fields[i] = ARGV[arg], "+" .. ARGV[arg]
    arg = arg + 6 + 2 * tonumber(ARGV[arg + 5])
  end
  for i, state in ipairs(read_fields(tasks_key, fields)) do
    if state then
      states[names[i]] = state
    else
      unheard[#unheard + 1] = names[i]
    end
  end
  for i, record in ipairs(read_fields(tasks_key, unheard)) do
    if record then
      states[unheard[i]] = false
    end
  end
  return states
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
  local states = stored[1] and read_states(tasks_key, entries)
  local bodies, documents, changed, done = {}, {}, {}, {}
  local recorded, changes, documented = 0, 0, 0
  local hurry, new_signal, repeated = false, false, false
  local known, newest, bound, outcome, seen -- tasks of one worker are in the same state
  for _ = 1, entries do
    local task, final, binding, digest, body, documents_here = unpack(ARGV, at, at + 5)
    local last = at + 5 + 2 * tonumber(documents_here)
    local answer, state = "recorded", states and states[task]
    if not states then
      answer = "unknown"
    elseif task == "" then
      if is_in(signals, digest) then
        answer = "repeated"
      else
        signals, new_signal = (signals == "" and " " or signals) .. digest .. " ", true
      end
    elseif state == nil then
      answer = "closed"
    else
      if state ~= known then
        known, newest, bound, outcome, seen = state, parse_state(state)
      end
      if binding ~= "" and bound ~= "" and binding ~= bound then
        answer = "conflict"
      elseif digest == outcome or is_in(seen, digest) then
        answer = "repeated"
      elseif outcome ~= "" then
        answer = "conflict"
      else
        local binding_now, position_now = bound == "" and binding or bound, position + recorded + 1
        if final == "1" then
          states[task] = render_state(position_now, binding_now, digest, seen)
          if string.sub(binding_now, 1, #OF_WORKERS) == OF_WORKERS then
            done[#done + 1] = task
          end
        else
          local seen_now = (seen == "" and " " or seen) .. digest .. " "
          states[task] = render_state(position_now, binding_now, "", seen_now)
        end
        if newest <= position then -- else it is among them already
          changes = changes + 1
          changed[changes] = task
        end
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
    fields[2 * i - 1], fields[2 * i] = "+" .. changed[i], states[changed[i]]
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
