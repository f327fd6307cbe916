-- A session in one consistent read. KEYS[7] checkpoints, KEYS[8] their seqs. ARGV: the version of the fold.
local version = take()
local behind = redis.call('HGET', KEYS[8], version)
local checkpoint = behind and redis.call('HGET', KEYS[7], version)
local tail = redis.call('XRANGE', LOG, '(' .. (behind or 0) .. '-0', '+')
return {'ok', epoch, redis.call('HGET', META, 'seq'), checkpoint or '', tail, redis.call('HGETALL', ROSTER)}
