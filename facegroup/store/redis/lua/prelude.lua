-- Comes before each of the other scripts: the argument, the keys by name, and what every write of a gallery does.
-- KEYS: those of `keys.Keys`, of one gallery or of several one after the other. ARGV: one value, in MessagePack.

local FIELDS = {'gallery', 'born', 'ids', 'names', 'people', 'centroids', 'changes', 'samples', 'crops', 'audit',
    'requests', 'requested', 'expiries', 'counters', 'cohort'}
local TYPES = {'hash', 'string', 'zset', 'zset', 'hash', 'hash', 'zset', 'hash', 'hash', 'stream',
    'hash', 'zset', 'zset', 'hash', 'hash'}

-- A script that fails midway leaves half a write, and values of other programs make it fail.
for i, key in ipairs(KEYS) do
    local kind, wanted = redis.call('TYPE', key).ok, TYPES[(i - 1) % #TYPES + 1]
    if kind ~= 'none' and kind ~= wanted then
        return redis.error_reply('FOREIGN ' .. key .. ' holds a ' .. kind .. ', not a ' .. wanted)
    end
end

local function keys_of(number)
    local keys = {}
    for i, field in ipairs(FIELDS) do keys[field] = KEYS[number * #FIELDS + i] end
    return keys
end

local args, keys = cmsgpack.unpack(ARGV[1]), keys_of(0)

-- Keep the words for what the gallery's values are encrypted with: facegroup.store.encryption. `encrypted` behind the
-- dimension is what an older facegroup, which knows of no keys, cannot read.
local function set_words(words)
    local dimension = string.match(redis.call('HGET', keys.gallery, 'dimension') or '', '^%d+')
    if dimension and string.find(words, '%x%x%x%x') then dimension = dimension .. ' encrypted' end
    redis.call('HSET', keys.gallery, 'encryption', words)
    if dimension then redis.call('HSET', keys.gallery, 'dimension', dimension) end
end

-- Refuse a write of a caller who lacks a key of the gallery's values, and note the word that the caller writes under.
local seal = args.seal or (args.note and args.note.seal)
if seal and redis.call('EXISTS', keys.gallery) == 1 then
    local kept = redis.call('HGET', keys.gallery, 'encryption') or ''
    local words, here = {}, false
    if kept == '' then kept = 'plain' end
    for word, mark in string.gmatch(kept, '(%w+)(%S*)') do
        if not string.find(seal.known, word, 1, true) then return redis.error_reply('KEYMISSING ' .. word) end
        if word == seal.own then here, mark = true, '' end
        table.insert(words, word .. mark)
    end
    if not here then table.insert(words, seal.own) end
    local now = table.concat(words, ' ')
    if now ~= kept then set_words(now) end
end

-- Set a field of a hash, or delete it where there is no value.
local function set(key, field, value)
    if value then redis.call('HSET', key, field, value) else redis.call('HDEL', key, field) end
end

local function set_expiry(id, at)
    if at then redis.call('ZADD', keys.expiries, at, id) else redis.call('ZREM', keys.expiries, id) end
end

local function add_samples(added)
    local crops = redis.call('HGET', keys.gallery, 'keep_crops') == '1'
    for _, each in ipairs(added) do
        redis.call('HSET', keys.samples, each.field, each.value)
        if crops and each.crop then redis.call('HSET', keys.crops, each.field, each.crop) end
    end
end

-- Append the entry of the audit log.
local function note()
    if not string.find(keys.audit, '}:audit', 1, true) then return end -- a staging copy's writes are no events
    local entry = args.note
    redis.call('XADD', keys.audit, 'MAXLEN', '~', entry.kept, '*', 'at', entry.at, 'what', entry.what,
        'person', entry.person, 'detail', entry.detail, 'actor', entry.actor, 'request', entry.request)
end

-- Append the entry, and return the gallery's new version, which is that of the person's last change.
local function raise_version(person)
    note()
    local version = redis.call('HINCRBY', keys.gallery, 'version', 1)
    if person then redis.call('ZADD', keys.changes, version, person) end
    redis.call('ZREMRANGEBYSCORE', keys.changes, '-inf', version - args.note.retention)
    return version
end

-- Whether the request was done before.
local function repeated()
    local once = args.note.once
    local at = once and redis.call('ZSCORE', keys.requested, once.key)
    return at and tonumber(at) >= tonumber(once.oldest)
end

local function remember(version)
    local once = args.note.once
    if not once then return end
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', keys.requested, '-inf', once.oldest, 'LIMIT', 0, 100)) do
        redis.call('HDEL', keys.requests, key)
        redis.call('ZREM', keys.requested, key)
    end
    redis.call('HSET', keys.requests, once.key, string.format('%.0f', version) .. ' ' .. once.answer)
    redis.call('ZADD', keys.requested, args.note.at, once.key)
end

local function described()
    return {redis.call('HGETALL', keys.gallery), redis.call('HLEN', keys.people), redis.call('HLEN', keys.cohort)}
end
