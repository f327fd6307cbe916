-- Give an auth session another role, if it is there. KEYS[1]: the auth session. ARGV: the role.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'role', ARGV[1])
return 1
