-- Exchange the id of an auth session's refresh token. KEYS[1]: the auth session. ARGV: old id, new id, ttl (ms).
-- The new id counts as right too, so that a repeat after a lost answer is not taken for a reuse.
local current = redis.call('HGET', KEYS[1], 'refresh')
if not current then return 'gone' end
if current ~= ARGV[1] and current ~= ARGV[2] then return 'reused' end
redis.call('HSET', KEYS[1], 'refresh', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'ok'
