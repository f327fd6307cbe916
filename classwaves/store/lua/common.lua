-- What every step on a session's log shares; put before each of the other scripts.
-- KEYS: all of one session, so of one hash tag. ARGV is read in order by take().
-- Answers are arrays whose first item says how it went: ok, duplicate, stale, full, absent or gone.
local META, LOG, FENCES, DEDUPE, ROSTER, FEED = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local epoch = redis.call('HGET', META, 'epoch')
if not epoch then return {'gone'} end

local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end

-- Fences follow as a count and pairs of name and value; has one of them moved?
local function stale()
  local moved = false
  for _ = 1, tonumber(take()) do
    local name, value = take(), take()
    if (redis.call('HGET', FENCES, name) or '0') ~= value then moved = true end
  end
  return moved
end

-- One entry at the end of the log, and along the feed.
local function push(body, bumps)
  local seq = redis.call('HINCRBY', META, 'seq', 1)
  redis.call('XADD', LOG, seq .. '-0', 't', now, 'p', epoch, 'e', body)
  redis.call('HINCRBY', META, 'bytes', #body)
  for _, name in ipairs(bumps or {}) do redis.call('HSET', FENCES, name, seq) end
  redis.call('PUBLISH', FEED, 'D' .. seq .. ' ' .. epoch .. ' ' .. now .. ' ' .. body)
  return seq
end

-- A key that is made after the session's expiry was set goes with the session.
local function with_session(key)
  local left = redis.call('PTTL', META)
  if left > 0 then redis.call('PEXPIRE', key, left) end
end
