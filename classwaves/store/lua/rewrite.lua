-- Make another log beside the log, a piece a call, and put it in its place at last.
-- KEYS[7] checkpoints, KEYS[8] their seqs, KEYS[9] their times, KEYS[10] the other log.
-- ARGV: the epoch that is to end, the step. copy: after which seq, up to which, then pairs of a seq and its other body.
-- swap: the last seq of the other log, the new epoch, the version of the fold, the seq of its checkpoint, its text.
local of, step = take(), take()
if epoch ~= of then return {'stale'} end
local other = KEYS[10]

if step == 'copy' then
  local after, last, bodies = take(), take(), {}
  while at < #ARGV do
    local seq = take()
    bodies[seq .. '-0'] = take()
  end
  for _, row in ipairs(redis.call('XRANGE', LOG, '(' .. after .. '-0', last .. '-0')) do
    local fields = row[2]
    redis.call('XADD', other, row[1], 't', fields[2], 'p', fields[4], 'e', bodies[row[1]] or fields[6])
  end
  redis.call('PEXPIRE', other, 600000)  -- whoever makes it may die
  return {'ok'}
end

local last, new, version, seq, body = take(), take(), take(), take(), take()
if redis.call('HGET', META, 'seq') ~= last then return {'more'} end
if (redis.call('HGET', KEYS[8], version) or '0') ~= seq then return {'stale'} end
if redis.call('XLEN', other) < redis.call('XLEN', LOG) then return {'stale'} end  -- Redis has lost some of it
redis.call('RENAME', other, LOG)
redis.call('PERSIST', LOG)
with_session(LOG)
local moment = redis.call('HGET', KEYS[9], version)
redis.call('DEL', KEYS[7], KEYS[8], KEYS[9])
if seq ~= '0' then
  redis.call('HSET', KEYS[7], version, body)
  redis.call('HSET', KEYS[8], version, seq)
  redis.call('HSET', KEYS[9], version, moment)
  for key = 7, 9 do with_session(KEYS[key]) end
end
redis.call('HSET', META, 'epoch', new)
redis.call('PUBLISH', FEED, 'E' .. cjson.encode({reset = new}))
return {'ok'}
