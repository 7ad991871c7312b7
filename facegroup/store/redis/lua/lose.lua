-- Note that a gallery lost data. KEYS: lost. ARGV: the version that it had. The highest one stays.
local noted = tonumber(redis.call('GET', KEYS[1]) or '-1')
if noted < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return true
