-- Another numbering, if the one that lost entries is still the current one. KEYS[7..9]: the checkpoints.
-- ARGV: the old epoch, the new one. The answer is the current one.
local old, new = take(), take()
if epoch == old then
  redis.call('HSET', META, 'epoch', new, 'run', this_run())
  -- They may be of what was lost; but without one a trimmed log has no beginning.
  local first = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
  if first and first[1] == '1-0' then redis.call('DEL', KEYS[7], KEYS[8], KEYS[9]) end
  redis.call('PUBLISH', FEED, 'E' .. cjson.encode({reset = new}))
  epoch = new
end
return {'ok', epoch}
