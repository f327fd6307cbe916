-- Keep a checkpoint and trim the log behind it. KEYS[7] checkpoints, KEYS[8] their seqs, KEYS[9] their times.
-- ARGV: version of the fold, epoch, seq, the time of the entry at it or 0, the checkpoint, entries and bytes to keep,
-- how many times as much for what the archive does not have yet; 0: there is no archive.
local version, of, seq, moment, body = take(), take(), tonumber(take()), take(), take()
local entries, bytes, arrears = tonumber(take()), tonumber(take()), tonumber(take())
local stored = redis.call('HGET', KEYS[8], version)
local last = tonumber(redis.call('HGET', META, 'seq'))
if of ~= epoch or seq > last or seq <= tonumber(stored or 0) then return {'stale'} end
-- It is of a replica that saw this very entry, and not one that was lost and whose number is another's now.
local found = redis.call('XRANGE', LOG, seq .. '-0', seq .. '-0')[1]
if moment ~= '0' and not (found and found[2][2] == moment) then return {'stale'} end
redis.call('HSET', KEYS[7], version, body)
redis.call('HSET', KEYS[8], version, seq)
redis.call('HSET', KEYS[9], version, now)
for key = 7, 9 do with_session(KEYS[key]) end

-- Not past the newest checkpoint of any version of the fold that is still in use (written within a day).
local behind = seq
local all = redis.call('HGETALL', KEYS[8])
for i = 1, #all, 2 do
  if now - tonumber(redis.call('HGET', KEYS[9], all[i])) > 86400000 then
    for key = 7, 9 do redis.call('HDEL', KEYS[key], all[i]) end
  else
    behind = math.min(behind, tonumber(all[i + 1]))
  end
end
local mean = tonumber(redis.call('HGET', META, 'bytes')) / last
local keep = math.min(entries, math.floor(bytes / math.max(mean, 1)))
if arrears > 0 then
  local archived = tonumber(redis.call('HGET', META, 'archived') or 0)
  behind = math.min(behind, math.max(archived, last - arrears * keep))
end
local first = math.min(last - keep, behind) + 1
if first > 1 then redis.call('XTRIM', LOG, 'MINID', '=', first .. '-0') end
return {'ok'}
