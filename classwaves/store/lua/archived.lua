-- The archive has the log up to this entry, if it is still the log's. ARGV: its seq, epoch and time.
local seq, of, moment = take(), take(), take()
local found = redis.call('XRANGE', LOG, seq .. '-0', seq .. '-0')[1]
if not (found and found[2][2] == moment and found[2][4] == of) then return {'unknown'} end
redis.call('HSET', META, 'archived', seq)
return {'ok'}
