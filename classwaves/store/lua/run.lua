-- Which start of Redis this is; '' where scripts may not ask. It costs some 4 us, so no step of every day asks.
local function this_run()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
end
