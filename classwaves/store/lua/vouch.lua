-- A replica that was there before Redis began this run says that nothing is lost: its newest entry is still the log's.
-- ARGV: the replica's epoch, the entry's seq and time.
local of, seq, moment = take(), take(), take()
local found = redis.call('XRANGE', LOG, seq .. '-0', seq .. '-0')[1]
if of ~= epoch or not (found and found[2][2] == moment) then return {'unknown'} end
redis.call('HSET', META, 'run', this_run())
return {'ok'}
