-- ARGV: dedupe key, how many dedupe keys to keep, fences, the session's record or '', a user to unseat or '',
-- then the entries: a count, and for each its body and its bumps (a count and names).
local key, kept = take(), tonumber(take())
local first = redis.call('ZSCORE', DEDUPE, key)
if first then
  local found = redis.call('XRANGE', LOG, first .. '-0', first .. '-0')[1]
  if found then return {'duplicate', first, found[2][4], found[2][2]} end
  return {'duplicate', first, epoch, now}
end
if stale() then return {'stale'} end
local record, unseat = take(), take()
local seq
for _ = 1, tonumber(take()) do
  local body, bumps = take(), {}
  for i = 1, tonumber(take()) do bumps[i] = take() end
  seq = push(body, bumps)
end
redis.call('ZADD', DEDUPE, seq, key)
redis.call('ZREMRANGEBYRANK', DEDUPE, 0, -kept - 1)
if unseat ~= '' then redis.call('HDEL', ROSTER, unseat) end
if record ~= '' then redis.call('HSET', META, 'record', record) end
return {'ok', seq, epoch, now}
