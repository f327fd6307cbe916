-- Replace a text if it is still what it was. KEYS[1]: where it is. ARGV: what it was, what it is to be.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
