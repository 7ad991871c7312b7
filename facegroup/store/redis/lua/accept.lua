-- Take a gallery as it is after a loss. KEYS: gallery, born, lost. ARGV: a version that it is to be above.
-- Readers load a gallery anew whose `born` is above the version that they have.
local noted = tonumber(redis.call('GET', KEYS[3]) or '0')
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local born = tonumber(redis.call('GET', KEYS[2]) or '0')
local next = string.format('%.0f', math.max(noted, version, born, tonumber(ARGV[1])) + 1)
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HSET', KEYS[1], 'version', next, 'born', next, 'cohort_version', next)
else
    redis.call('SET', KEYS[2], next)
end
redis.call('DEL', KEYS[3])
return true
