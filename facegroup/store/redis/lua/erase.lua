-- Erase a gallery but for its audit log, and one number: where the versions of a gallery of this name go on. args: note.
-- Returns how many people, samples (counter-examples included), crops, counter-examples and members of the cohort went; nil
-- where there was none.
local version, dimension = unpack(redis.call('HMGET', keys.gallery, 'version', 'dimension'))
if not version then return nil end
local counters, rows = 0, redis.call('HGETALL', keys.counters)
local size = 4 * (tonumber(string.match(dimension or '', '^%d+')) or 0)
-- Encrypted values are 33 bytes longer.
if size > 0 then for i = 2, #rows, 2 do counters = counters + math.floor((#rows[i] - #rows[i] % 4 * 33) / size) end end
local people, samples = redis.call('HLEN', keys.people), redis.call('HLEN', keys.samples)
local crops = redis.call('HLEN', keys.crops)
local cohort = redis.call('HLEN', keys.cohort)
for field, key in pairs(keys) do
    if field ~= 'born' and field ~= 'audit' and field ~= 'chain' then redis.call('UNLINK', key) end
end
note()
redis.call('SET', keys.born, version + 1)
return {people, samples, crops, counters, cohort}
