-- Comes before each of the other scripts: the argument, the keys by name, and what every write of a gallery does.
-- KEYS: those of `keys.Keys`, of one gallery or of several one after the other. ARGV: one value, in MessagePack.

local FIELDS = {'gallery', 'born', 'ids', 'names', 'people', 'centroids', 'changes', 'samples', 'crops', 'audit',
    'requests', 'requested', 'expiries', 'counters', 'cohort', 'chain'}
local TYPES = {'hash', 'string', 'zset', 'zset', 'hash', 'hash', 'zset', 'hash', 'hash', 'stream',
    'hash', 'zset', 'zset', 'hash', 'hash', 'hash'}

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

-- SHA-256, which Redis does not have, over the 72 bytes of a link: the hash before, the digest of the entry, and its number.
-- FIPS 180-4, with bit operations on signed numbers of 32 bits and sums below 2^53.
local K = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6,
    0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3,
    0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
    0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814,
    0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2}
local GENESIS = string.rep('\0', 32)
local band, bxor, ror, rshift = bit.band, bit.bxor, bit.ror, bit.rshift

local function compress(state, w)
    for i = 17, 64 do
        local x, y = w[i - 15], w[i - 2]
        w[i] = (w[i - 16] + bxor(ror(x, 7), ror(x, 18), rshift(x, 3)) + w[i - 7]
            + bxor(ror(y, 17), ror(y, 19), rshift(y, 10))) % 4294967296
    end
    local a, b, c, d, e, f, g, h = unpack(state)
    for i = 1, 64 do
        local t = h + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + bxor(g, band(e, bxor(f, g))) + K[i] + w[i]
        local u = bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bxor(band(a, bxor(b, c)), band(b, c))
        h, g, f, e = g, f, e, (d + t) % 4294967296
        d, c, b, a = c, b, a, (t + u) % 4294967296
    end
    for i, each in ipairs({a, b, c, d, e, f, g, h}) do state[i] = (state[i] + each) % 4294967296 end
end

local function link(previous, digest, number)
    local state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
    local w = {struct.unpack('>I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4', previous .. digest)}
    w[17] = nil -- the place of what follows
    compress(state, w)
    local high = math.floor(number / 4294967296)
    compress(state, {high, number % 4294967296, 0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 576})
    return struct.pack('>I4I4I4I4I4I4I4I4', unpack(state))
end

-- Begin the chain of a log. Entries that are there are of before it.
local function begin_chain()
    local older, last = 0, '-'
    repeat
        local rows = redis.call('XRANGE', keys.audit, last, '+', 'COUNT', 1000)
        older, last = older + #rows - (last == '-' and 0 or 1), #rows > 0 and rows[#rows][1] or last
    until #rows < 1000
    redis.call('HSET', keys.chain, 'number', '0', 'hash', GENESIS, 'older', older, 'anchor_id', last == '-' and '' or last,
        'anchor_number', '0', 'anchor_hash', GENESIS)
end

-- Return the oldest of `count` entries that are not to be kept beside `more`, at most so many. The anchor is the last of them
-- then.
local function outdated(count, more, most)
    local oldest, gone, excess = tonumber(args.note.oldest), {}, count + more - args.note.kept
    for _, row in ipairs(redis.call('XRANGE', keys.audit, '-', '+', 'COUNT', excess > 1 and most or 1)) do
        local entry = {}
        for i = 1, #row[2], 2 do entry[row[2][i]] = row[2][i + 1] end
        if excess <= 0 and tonumber(entry.at) >= oldest then break end
        excess = excess - 1
        table.insert(gone, row[1])
        if entry.number then
            redis.call('HSET', keys.chain, 'anchor_id', row[1], 'anchor_number', entry.number, 'anchor_hash', entry.hash)
        else
            redis.call('HINCRBY', keys.chain, 'older', -1)
        end
    end
    return gone
end

-- Append the entry of the audit log, and let the oldest go: the age of entries is looked at with each 64th only.
local function note()
    if not string.find(keys.audit, '}:audit', 1, true) then return end -- a staging copy's writes are no events
    local chain = redis.call('HMGET', keys.chain, 'number', 'hash', 'anchor_number', 'older')
    if not chain[1] then
        begin_chain()
        chain = redis.call('HMGET', keys.chain, 'number', 'hash', 'anchor_number', 'older')
    end
    local entry, previous, count = args.note, chain[2], chain[1] - chain[3] + chain[4]
    local number, expected = string.format('%.0f', chain[1] + 1), entry.expected
    local hash = expected and expected[1] == previous and expected[2] or link(previous, entry.digest, tonumber(number))
    if count >= entry.kept or number % 64 == 0 then count = count - #outdated(count, 1, 64) end
    redis.call('XADD', keys.audit, 'MAXLEN', count + 1, '*', 'at', entry.at, 'what', entry.what, 'person', entry.person,
        'detail', entry.detail, 'actor', entry.actor, 'request', entry.request, 'address', entry.address,
        'result', entry.result, 'number', number, 'previous', previous, 'hash', hash)
    redis.call('HSET', keys.chain, 'number', number, 'hash', hash)
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
