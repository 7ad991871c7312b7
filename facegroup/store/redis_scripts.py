"""The steps that change a gallery in Redis, each one Lua function and so atomic; all take the gallery's keys as KEYS.

Nothing is computed here: a step that rests on something read before is given what was read, and answers -1 (a conflict)
where it has changed since, so that the caller reads again. A gallery that is not there answers nil.
"""

_BUMP = """
local function bump(person, retention)
    local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
    if person then redis.call('ZADD', KEYS[7], version, person) end
    redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', version - tonumber(retention))
    return version
end
"""

_GALLERY = "return {redis.call('HGETALL', KEYS[1]), redis.call('HLEN', KEYS[5])}"

CREATE = f"""
if redis.call('EXISTS', KEYS[1]) == 0 then
    local born = redis.call('GET', KEYS[2]) or '0'
    redis.call('HSET', KEYS[1], 'version', born, 'born', born, unpack(ARGV))
end
{_GALLERY}
"""
"""ARGV: fields and values of the gallery. Answers the gallery, old or new, and how many people it has."""

UPDATE = f"""{_BUMP}
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
if #ARGV > 1 then
    redis.call('HSET', KEYS[1], unpack(ARGV, 2))
    if redis.call('HGET', KEYS[1], 'keep_crops') == '0' then redis.call('UNLINK', KEYS[9]) end
    bump(nil, ARGV[1])
end
{_GALLERY}
"""
"""ARGV: retention, then fields and values to set. Answers as CREATE."""

ERASE = """
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return nil end
local counts = {redis.call('HLEN', KEYS[5]), redis.call('HLEN', KEYS[8])}
for i, key in ipairs(KEYS) do if i ~= 2 then redis.call('UNLINK', key) end end
redis.call('SET', KEYS[2], version + 1)
return counts
"""
"""Leaves one number: where the versions of a gallery of this name go on. Answers how many people and samples went."""

PERSON = f"""{_BUMP}
local id, expected, record, old_name, new_name = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
if (redis.call('HGET', KEYS[5], id) or '') ~= expected then return -1 end
if old_name ~= '' then redis.call('ZREM', KEYS[4], old_name) end
if record == '' then
    redis.call('ZREM', KEYS[3], id)
    redis.call('HDEL', KEYS[5], id)
else
    redis.call('ZADD', KEYS[3], 0, id)
    redis.call('ZADD', KEYS[4], 0, new_name)
    redis.call('HSET', KEYS[5], id, record)
end
if ARGV[7] == '1' then
    if ARGV[8] == '' then redis.call('HDEL', KEYS[6], id) else redis.call('HSET', KEYS[6], id, ARGV[8]) end
    local first = 10 + tonumber(ARGV[9])
    for i = 10, first - 1 do redis.call('HDEL', KEYS[8], ARGV[i]); redis.call('HDEL', KEYS[9], ARGV[i]) end
    local crops = redis.call('HGET', KEYS[1], 'keep_crops') == '1'
    for i = first, #ARGV, 3 do
        redis.call('HSET', KEYS[8], ARGV[i], ARGV[i + 1])
        if crops and ARGV[i + 2] ~= '' then redis.call('HSET', KEYS[9], ARGV[i], ARGV[i + 2]) end
    end
end
return bump(id, ARGV[1])
"""
"""Create, change or erase one person.

ARGV: retention; id; the record that was read ('' for none); the record to write ('' to erase); old and new member of
the index by name ('' for none); '1' where samples change, and then: the centroid ('' for none), how many samples go,
their fields, and a field, value and crop ('' for none) of each that comes. Answers the new version, or -1.
"""

CHANGES = """
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local ids
if ARGV[1] == '' then
    ids = redis.call('HKEYS', KEYS[6])
else
    ids = redis.call('ZRANGEBYSCORE', KEYS[7], '(' .. ARGV[1], '+inf')
end
local records, centroids = {}, {}
for i, id in ipairs(ids) do
    records[i] = redis.call('HGET', KEYS[5], id)
    centroids[i] = redis.call('HGET', KEYS[6], id)
end
local born = redis.call('HGET', KEYS[1], 'born')
return {redis.call('HGETALL', KEYS[1]), redis.call('HLEN', KEYS[5]), born, ids, records, centroids}
"""
"""ARGV: a version, or '' for all. Answers the gallery, its people's count, born, ids, records and centroids."""
