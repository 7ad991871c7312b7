-- Merge one person into another, where both records are still as they were read.
-- args: note; into: id, record that was read, record to write; source: id, record that was read, member of the index by
-- name; ids of samples that come over (moved), that do not (left), and of the person's own that go (dropped); centroid and
-- counters of the person then (nil: none); rebound: by id, sample and crop ('': none) of those that are to be written anew.
-- Returns the version; -1 where a record is another; nil where there is no gallery.
local into, source, kinds = args.into.id, args.source.id, {keys.samples, keys.crops}
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
local read = redis.call('HMGET', keys.people, into, source)
if read[1] ~= args.into.read or read[2] ~= args.source.read then return -1 end
for kind, key in ipairs(kinds) do
    for _, id in ipairs(args.moved) do
        local value = redis.call('HGET', key, source .. ':' .. id)
        if value and args.rebound[id] then value = args.rebound[id][kind] end
        if value and value ~= '' then redis.call('HSET', key, into .. ':' .. id, value) end
        redis.call('HDEL', key, source .. ':' .. id)
    end
    for _, id in ipairs(args.left) do redis.call('HDEL', key, source .. ':' .. id) end
    for _, id in ipairs(args.dropped) do redis.call('HDEL', key, into .. ':' .. id) end
end
for _, key in ipairs({keys.people, keys.centroids, keys.counters}) do redis.call('HDEL', key, source) end
redis.call('ZREM', keys.ids, source)
redis.call('ZREM', keys.names, args.source.name)
redis.call('ZREM', keys.expiries, source)
redis.call('HSET', keys.people, into, args.into.record)
set(keys.centroids, into, args.centroid)
set(keys.counters, into, args.counters)
local version = raise_version(into)
redis.call('ZADD', keys.changes, version, source)
return version
