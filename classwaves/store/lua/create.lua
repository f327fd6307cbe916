-- A session's record, numbering and the run of Redis that it is known to be whole in. KEYS[1]: meta. ARGV: record, epoch.
-- Nothing is set twice: a late repeat must not undo what came after the first time.
redis.call('HSETNX', KEYS[1], 'record', ARGV[1])
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2])
redis.call('HSETNX', KEYS[1], 'run', this_run())
return 'ok'
