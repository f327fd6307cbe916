-- A step on an upload. KEYS[7] uploads: file id -> "next index, time, stage, JSON of what does not change".
-- ARGV: the step, then what it needs.
local UPLOADS = KEYS[7]
local step = take()
local function parse(text)
  local next_index, at, stage, body = string.match(text, '^(%d+) (%d+) (%a+) (.*)$')
  return tonumber(next_index), tonumber(at), stage, body
end
local function keep(id, next_index, stage, body)
  local text = next_index .. ' ' .. now .. ' ' .. stage .. ' ' .. body
  redis.call('HSET', UPLOADS, id, text)
  with_session(UPLOADS)
  return {'ok', id, text}
end

if step == 'idle' then
  local before, ended, oldest = now - tonumber(take()), {}, 0
  local all = redis.call('HGETALL', UPLOADS)
  for i = 1, #all, 2 do
    local _, at = parse(all[i + 1])
    if at <= before then
      redis.call('HDEL', UPLOADS, all[i])
      ended[#ended + 1] = all[i]
    elseif oldest == 0 or at < oldest then
      oldest = at
    end
  end
  return {'ok', oldest, ended}
end

if step == 'begin' then
  if stale() then return {'stale'} end
  local id, body = take(), take()
  local wanted = cjson.decode(body)
  local files, bytes, uploads, own = tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take())
  local all = redis.call('HGETALL', UPLOADS)
  for i = 1, #all, 2 do
    local _, _, _, text = parse(all[i + 1])
    local other = cjson.decode(text)
    if other.user_id == wanted.user_id then
      if other.client_id == wanted.client_id then return {'known', all[i], all[i + 1]} end
      own = own - 1
    end
    files, uploads, bytes = files - 1, uploads - 1, bytes - other.size
  end
  if files < 1 then return {'room', 'files'} end
  if bytes < wanted.size then return {'room', 'quota'} end
  if uploads < 1 or own < 1 then return {'room', 'uploads'} end
  return keep(id, 0, 'open', body)
end

local id = take()
local text = redis.call('HGET', UPLOADS, id)
if not text then return {'absent'} end
local next_index, _, stage, body = parse(text)
if step == 'advance' then
  if stage ~= 'open' or tonumber(take()) ~= next_index then return {'ok', id, text} end
  return keep(id, next_index + 1, stage, body)
end
if step == 'seal' then
  return keep(id, next_index, take(), body)
end
if step == 'end' then
  if take() == '1' and stage ~= 'open' then return {'sealed'} end
  redis.call('HDEL', UPLOADS, id)
  return {'ok'}
end
