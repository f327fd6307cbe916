-- A session in one consistent read. KEYS[7] checkpoints, KEYS[8] their seqs, KEYS[10] cursors. ARGV: the version of the fold.
local version = take()
local behind = redis.call('HGET', KEYS[8], version)
local checkpoint = behind and redis.call('HGET', KEYS[7], version)
local tail = redis.call('XRANGE', LOG, '(' .. (behind or 0) .. '-0', '+')
-- May Redis have lost something since anybody knew the session to be whole? One that is of before we asked is adopted,
-- if Redis takes writes now.
local run, known = this_run(), redis.call('HGET', META, 'run')
if not known then redis.pcall('HSET', META, 'run', run) end
local doubtful = known and known ~= '' and run ~= '' and known ~= run
local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)
local roster, cursors = redis.call('HGETALL', ROSTER), redis.call('HGETALL', KEYS[10])
return {'ok', epoch, redis.call('HGET', META, 'seq'), checkpoint or '', tail, roster, cursors, last, doubtful and 1 or 0}
