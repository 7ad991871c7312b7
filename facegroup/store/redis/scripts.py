"""The steps that change a gallery in Redis, each one Lua function and so atomic; all take the gallery's keys as KEYS.

Nothing is computed here: a step that rests on something read before is given what was read, and answers -1 (a conflict)
where it has changed since, so that the caller reads again. A gallery that is not there answers nil.

A script that fails midway leaves half a write, and foreign values make it fail: so every script first looks at the types
of its keys. Every write takes what `redis_notes.Note` gives off the end of ARGV, and leaves it with the write.
"""

TYPED = """
local types = {'hash', 'string', 'zset', 'zset', 'hash', 'hash', 'zset', 'hash', 'hash', 'stream', 'hash', 'zset', 'zset',
    'hash'}
for i, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    local wanted = types[(i - 1) % #types + 1]
    if kind ~= 'none' and kind ~= wanted then
        return redis.error_reply('FOREIGN ' .. key .. ' holds a ' .. kind .. ', not a ' .. wanted)
    end
end
"""

NOTED = f"""{TYPED}
local what = table.remove(ARGV)
local whom = table.remove(ARGV)
local detail = table.remove(ARGV)
local actor = table.remove(ARGV)
local request = table.remove(ARGV)
local kept = table.remove(ARGV)
local now = table.remove(ARGV)
local old = table.remove(ARGV)
local once = table.remove(ARGV)
local answer = table.remove(ARGV)
local function note()
    if not string.find(KEYS[10], '}}:audit', 1, true) then return end -- a shelf: what is done there is no event
    redis.call('XADD', KEYS[10], 'MAXLEN', '~', kept, '*', 'at', now, 'what', what, 'person', whom,
        'detail', detail, 'actor', actor, 'request', request)
end
local function remember(version)
    if once == '' then return end
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[12], '-inf', old, 'LIMIT', 0, 100)) do
        redis.call('HDEL', KEYS[11], key)
        redis.call('ZREM', KEYS[12], key)
    end
    redis.call('HSET', KEYS[11], once, string.format('%.0f', version) .. ' ' .. answer)
    redis.call('ZADD', KEYS[12], now, once)
end
local function repeated()
    if once == '' then return false end
    local at = redis.call('ZSCORE', KEYS[12], once)
    return at and tonumber(at) >= tonumber(old)
end
"""

_BUMP = f"""{NOTED}
local function bump(person, retention)
    note()
    local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
    if person then redis.call('ZADD', KEYS[7], version, person) end
    redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', version - tonumber(retention))
    return version
end
"""

_GALLERY = "return {redis.call('HGETALL', KEYS[1]), redis.call('HLEN', KEYS[5])}"

CREATE = f"""{NOTED}
if redis.call('EXISTS', KEYS[1]) == 0 then
    local born = redis.call('GET', KEYS[2]) or '0'
    redis.call('UNLINK', KEYS[14])
    redis.call('HSET', KEYS[1], 'version', born, 'born', born, unpack(ARGV))
    note()
end
{_GALLERY}
"""
"""ARGV: fields and values of the gallery. Answers the gallery, old or new, and how many people it has."""

UPDATE = f"""{_BUMP}
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
if #ARGV > 2 then
    if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], 'network') ~= ARGV[2] then
        return {{redis.call('HGET', KEYS[1], 'network')}}
    end
    redis.call('HSET', KEYS[1], unpack(ARGV, 3))
    if redis.call('HGET', KEYS[1], 'keep_crops') == '0' then redis.call('UNLINK', KEYS[9]) end
    bump(nil, ARGV[1])
end
{_GALLERY}
"""
"""ARGV: retention, the network that it must have ('' for any), then fields and values to set. Answers as CREATE, or the
network that it has instead."""

ERASE = f"""{NOTED}
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return nil end
local counters, rows = 0, redis.call('HGETALL', KEYS[14])
local size = 4 * (tonumber(redis.call('HGET', KEYS[1], 'dimension') or '') or 0)
if size > 0 then for i = 2, #rows, 2 do counters = counters + math.floor(#rows[i] / size) end end
local counts = {{redis.call('HLEN', KEYS[5]), redis.call('HLEN', KEYS[8]), redis.call('HLEN', KEYS[9]), counters}}
for i, key in ipairs(KEYS) do if i ~= 2 and i ~= 10 then redis.call('UNLINK', key) end end
note()
redis.call('SET', KEYS[2], version + 1)
return counts
"""
"""Leaves the audit log, and one number: where the versions of a gallery of this name go on.

Answers how many people, samples (counter-examples included), crops and counter-examples went.
"""

PERSON = f"""{_BUMP}
local expires = table.remove(ARGV)
local counters = table.remove(ARGV)
local id, expected, record, old_name, new_name = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local pictures = 0
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
if (redis.call('HGET', KEYS[5], id) or '') ~= expected or repeated() then return -1 end
if old_name ~= '' then redis.call('ZREM', KEYS[4], old_name) end
if record == '' then
    redis.call('ZREM', KEYS[3], id)
    for _, place in ipairs({{5, 6, 14}}) do redis.call('HDEL', KEYS[place], id) end
else
    redis.call('ZADD', KEYS[3], 0, id)
    redis.call('ZADD', KEYS[4], 0, new_name)
    redis.call('HSET', KEYS[5], id, record)
end
if expires == '' then redis.call('ZREM', KEYS[13], id) else redis.call('ZADD', KEYS[13], expires, id) end
if ARGV[7] == '1' then
    if ARGV[8] == '' then redis.call('HDEL', KEYS[6], id) else redis.call('HSET', KEYS[6], id, ARGV[8]) end
    if counters == '' then redis.call('HDEL', KEYS[14], id) else redis.call('HSET', KEYS[14], id, counters) end
    local first = 10 + tonumber(ARGV[9])
    for i = 10, first - 1 do
        redis.call('HDEL', KEYS[8], ARGV[i])
        pictures = pictures + redis.call('HDEL', KEYS[9], ARGV[i])
    end
    local crops = redis.call('HGET', KEYS[1], 'keep_crops') == '1'
    for i = first, #ARGV, 3 do
        redis.call('HSET', KEYS[8], ARGV[i], ARGV[i + 1])
        if crops and ARGV[i + 2] ~= '' then redis.call('HSET', KEYS[9], ARGV[i], ARGV[i + 2]) end
    end
end
local version = bump(id, ARGV[1])
remember(version)
return {{version, pictures}}
"""
"""Create, change or erase one person.

ARGV: retention; id; the record that was read ('' for none); the record to write ('' to erase); old and new member of
the index by name ('' for none); '1' where samples change, and then: the centroid ('' for none), how many samples go,
their fields, and a field, value and crop ('' for none) of each that comes; and before the note's: the counter-examples
('' for none), and when the person expires ('' for never). Answers the new version and how many crops went; or -1, also
where the request was done before.
"""

MERGE = f"""{_BUMP}
local counters = table.remove(ARGV)
local dropped = {{}}
for i = 1, tonumber(table.remove(ARGV)) do dropped[i] = table.remove(ARGV) end
local into, source = ARGV[2], ARGV[5]
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
if redis.call('HGET', KEYS[5], into) ~= ARGV[3] or redis.call('HGET', KEYS[5], source) ~= ARGV[6] then return -1 end
local first = 10 + tonumber(ARGV[9])
for i = 10, first - 1 do
    for k = 8, 9 do
        local value = redis.call('HGET', KEYS[k], source .. ':' .. ARGV[i])
        if value then redis.call('HSET', KEYS[k], into .. ':' .. ARGV[i], value) end
    end
end
for i = 10, #ARGV do for k = 8, 9 do redis.call('HDEL', KEYS[k], source .. ':' .. ARGV[i]) end end
for _, key in ipairs(dropped) do for k = 8, 9 do redis.call('HDEL', KEYS[k], into .. ':' .. key) end end
redis.call('HDEL', KEYS[14], source)
if counters == '' then redis.call('HDEL', KEYS[14], into) else redis.call('HSET', KEYS[14], into, counters) end
redis.call('ZREM', KEYS[3], source)
redis.call('ZREM', KEYS[4], ARGV[7])
redis.call('ZREM', KEYS[13], source)
redis.call('HDEL', KEYS[5], source)
redis.call('HDEL', KEYS[6], source)
redis.call('HSET', KEYS[5], into, ARGV[4])
if ARGV[8] == '' then redis.call('HDEL', KEYS[6], into) else redis.call('HSET', KEYS[6], into, ARGV[8]) end
local version = bump(into, ARGV[1])
redis.call('ZADD', KEYS[7], version, source)
return version
"""
"""ARGV: retention; id, read and new record of who stays; id, read record and member of the index by name of who goes; the
centroid ('' for none); how many samples come over, their ids, and the ids of those that do not; and before the note's:
the ids of samples of who stays that go, how many these are, and the counter-examples ('' for none). Answers as PERSON.
"""

REMEMBER = f"""{NOTED}
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return nil end
if redis.call('HGET', KEYS[5], ARGV[1]) ~= ARGV[2] or repeated() then return -1 end
remember(version)
return tonumber(version)
"""
"""A request that changed nothing is remembered all the same. ARGV: id, the record that was read. Answers as PERSON."""

NOTE = f"""{NOTED}
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
note()
return 1
"""
"""Only the entry."""

CHANGES = (
    TYPED
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local ids
if ARGV[1] == '' then
    ids = redis.call('HKEYS', KEYS[6])
else
    ids = redis.call('ZRANGEBYSCORE', KEYS[7], '(' .. ARGV[1], '+inf')
end
local records, centroids, counters = {}, {}, {}
for i, id in ipairs(ids) do
    records[i] = redis.call('HGET', KEYS[5], id)
    centroids[i] = redis.call('HGET', KEYS[6], id)
    counters[i] = redis.call('HGET', KEYS[14], id)
end
local born = redis.call('HGET', KEYS[1], 'born')
return {redis.call('HGETALL', KEYS[1]), redis.call('HLEN', KEYS[5]), born, ids, records, centroids, counters}
"""
)
"""ARGV: a version, or '' for all. Answers the gallery, its people's count, born, ids, records, centroids and counters."""
