-- Put a staging copy in the gallery's place, and the gallery on the copy `previous`. The audit log, the idempotency keys
-- and `born` stay with the name; the change log goes.
-- KEYS: of the gallery, of the copy, of the copy `previous`, and one for a moment. args: note; expected (nil: no gallery) and
-- made: the versions at which gallery and copy must be; name and away: their names afterwards.
-- Returns the version; -1 where one of them is at another.
local copy, previous, spare = keys_of(1), keys_of(2), KEYS[#KEYS]
local here = redis.call('HGET', keys.gallery, 'version')
if here ~= (args.expected or false) or redis.call('HGET', copy.gallery, 'version') ~= args.made then return -1 end
local floor = redis.call('GET', keys.born) or '0'
local version = math.max(tonumber(floor), tonumber(args.made), tonumber(here or '0')) + 1
local function move(from, to)
    redis.call('UNLINK', to)
    if redis.call('EXISTS', from) == 1 then redis.call('RENAME', from, to) end
end
local stays = {born = true, audit = true, chain = true, requests = true, requested = true}
for field, key in pairs(keys) do
    if not stays[field] then
        move(copy[field], spare) -- the copy may be `previous` itself
        if here then move(key, previous[field]) end
        move(spare, key)
    end
end
-- Marks of `facegroup encrypt` are on the words of what it looks at, which is elsewhere now.
for _, key in ipairs({keys.gallery, previous.gallery}) do
    local words = redis.call('HGET', key, 'encryption')
    if words then redis.call('HSET', key, 'encryption', (string.gsub(words, '%?%w+', ''))) end
end
local whole = string.format('%.0f', version)
redis.call('HSET', keys.gallery, 'name', args.name, 'version', whole, 'born', whole, 'cohort_version', whole)
if here then redis.call('HSET', previous.gallery, 'name', args.away) end
redis.call('UNLINK', keys.changes)
note()
return version
