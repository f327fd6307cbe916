-- One step of the roster: user id -> {c = {connection = status}, t = absent since (ms), l = when one of them left (ms)}.
-- ARGV: the mark of what it is done for or '', the step, then its arguments. Steps are idempotent: they may be repeated
-- after a lost answer.
local mark, step = take(), take()
if mark == '' then mark = nil end

local function read(user_id)
  local text = redis.call('HGET', ROSTER, user_id)
  return text and cjson.decode(text)
end

local function write(user_id, user)
  if redis.call('HSET', ROSTER, user_id, cjson.encode(user)) == 1 then with_session(ROSTER) end
end

-- the most present of a user's connections
local function status(user)
  local seen = {}
  for _, one in pairs(user.c) do seen[one] = true end
  return seen.active and 'active' or seen.idle and 'idle' or seen.away and 'away' or 'disconnected'
end

-- A retired connection is one of a worker that has ended: it counts until somebody settles it, or its user is back.
local function retired(connection) return string.sub(connection, 1, 1) == '~' end

local function fact(user_id, change)
  push(cjson.encode({n = 'participantChanged', d = {change = change}, u = user_id, a = 'presence', t = mark}))
end

-- Not in the log: the others hear of it as it happens, after the entries up to seq. Called once it is written, because
-- a Redis that is full refuses to write and still publishes.
local function announce(user_id, user, before)
  if status(user) ~= before then
    local news = {presence = status(user), userId = user_id, time = now, seq = tonumber(redis.call('HGET', META, 'seq')), t = mark}
    redis.call('PUBLISH', FEED, 'E' .. cjson.encode(news))
  end
end

-- A connection is gone; the user may have others.
local function take_out(user_id, user, gone, change)
  local before = status(user)
  for _, connection in ipairs(gone) do user.c[connection] = nil end
  if next(user.c) then
    write(user_id, user)
    announce(user_id, user, before)
    return
  end
  if change == 'left' then
    redis.call('HDEL', ROSTER, user_id)
  else
    user.t = now
    write(user_id, user)
  end
  fact(user_id, change)
end

local function answer(user) return {'ok', status(user), redis.call('HGET', META, 'seq')} end

if step == 'join' then
  local user_id, connection, capacity, body = take(), take(), tonumber(take()), take()
  if stale() then return {'stale'} end
  local user = read(user_id)
  if user and user.c[connection] then return answer(user) end
  local came = not user
  if came then
    if capacity >= 0 and redis.call('HLEN', ROSTER) >= capacity then return {'full'} end
    user = {c = {}}
    push(body)
  elseif not next(user.c) then
    fact(user_id, 'returned')
  end
  local before = status(user)
  for other in pairs(user.c) do
    if retired(other) then user.c[other] = nil end
  end
  user.c[connection] = 'active'
  user.t, user.l = nil, nil
  write(user_id, user)
  if before ~= 'disconnected' then announce(user_id, user, before) end
  local told = answer(user)
  if came then told[4] = 'came' end
  return told
end

if step == 'status' then
  local user_id, connection, wanted = take(), take(), take()
  if stale() then return {'stale'} end
  local user = read(user_id)
  if not user or not user.c[connection] then return {'absent'} end
  local before = status(user)
  user.c[connection] = wanted
  write(user_id, user)
  announce(user_id, user, before)
  return answer(user)
end

-- The answer of the next two is since when somebody is absent, or 0: also when repeated after a lost answer. After it:
-- who has left by this step.
if step == 'out' then
  local user_id, connection, change, ago = take(), take(), take(), tonumber(take())
  local user = read(user_id)
  local told = {'ok', 0}
  if user and user.c[connection] then
    -- another one has left since this one ended, which nobody knew yet: that was the last
    if change == 'left' then user.l = now elseif user.l and user.l > now - ago then change = 'left' end
    take_out(user_id, user, {connection}, change)
    if change == 'left' and not next(user.c) then told[3] = user_id end
  end
  told[2] = user and user.t or 0
  return told
end

-- The worker of these connections ends: a count, and for each its user and itself.
if step == 'retire' then
  for _ = 1, tonumber(take()) do
    local user_id, connection = take(), take()
    local user = read(user_id)
    if user and user.c[connection] then
      local was, others = user.c[connection], false
      for other in pairs(user.c) do others = others or (other ~= connection and not retired(other)) end
      if others then
        take_out(user_id, user, {connection}, 'disconnected')
      else
        user.c[connection] = nil
        user.c['~' .. connection] = was
        write(user_id, user)
      end
    end
  end
  return {'ok', 0}
end

-- A worker died: all of its connections are gone.
if step == 'sweep' then
  local prefix, oldest = take(), 0
  local roster = redis.call('HGETALL', ROSTER)
  for i = 1, #roster, 2 do
    local user, gone = cjson.decode(roster[i + 1]), {}
    for connection in pairs(user.c) do
      local bare = retired(connection) and string.sub(connection, 2) or connection
      if string.sub(bare, 1, #prefix) == prefix then gone[#gone + 1] = connection end
    end
    if #gone > 0 then take_out(roster[i], user, gone, 'disconnected') end
    if user.t and (oldest == 0 or user.t < oldest) then oldest = user.t end
  end
  return {'ok', oldest}
end

-- Who was disconnected before this time has left. The answer is when the next one was disconnected, or 0.
if step == 'absent' then
  local before, oldest, told = tonumber(take()), 0, {'ok', 0}
  local roster = redis.call('HGETALL', ROSTER)
  for i = 1, #roster, 2 do
    local user = cjson.decode(roster[i + 1])
    if not next(user.c) then
      if user.t <= before then
        redis.call('HDEL', ROSTER, roster[i])
        fact(roster[i], 'left')
        told[#told + 1] = roster[i]
      elseif oldest == 0 or user.t < oldest then
        oldest = user.t
      end
    end
  end
  told[2] = oldest
  return told
end
