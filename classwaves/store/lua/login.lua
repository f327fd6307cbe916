-- Keep an auth session. KEYS[1]: the auth session. ARGV: what it is, the id of its refresh token, ttl (ms).
redis.call('HSET', KEYS[1], 'auth', ARGV[1], 'refresh', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'ok'
