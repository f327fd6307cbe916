-- Up to which message somebody has read: only forward. KEYS[7] cursors. ARGV: user id, message id, the news of it.
local user_id, message_id, news = take(), take(), take()
local function seq(id) return tonumber(string.match(id, '(%d+)$')) or 0 end
if seq(message_id) <= seq(redis.call('HGET', KEYS[7], user_id) or '0') then return {'behind'} end
redis.call('HSET', KEYS[7], user_id, message_id)
with_session(KEYS[7])
redis.call('PUBLISH', FEED, 'E' .. news)
return {'ok'}
