-- Create, change or erase one person whose record is still as it was read.
-- args: note; id; read: the record that was read ('': none); record: to write (nil: erase); old_name, new_name: members of
-- the index by name (nil: none); expires (nil: never); and, where samples change, samples: centroid, counters (nil: none),
-- removed: fields, added: field, value and crop (nil: none) of each.
-- Returns the version and how many crops went; -1 where the record is another or the request was done before; nil where
-- there is no gallery.
local id, pictures = args.id, 0
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
if (redis.call('HGET', keys.people, id) or '') ~= args.read or repeated() then return -1 end
if args.old_name then redis.call('ZREM', keys.names, args.old_name) end
if args.record then
    redis.call('ZADD', keys.ids, 0, id)
    redis.call('ZADD', keys.names, 0, args.new_name)
    redis.call('HSET', keys.people, id, args.record)
else
    redis.call('ZREM', keys.ids, id)
    for _, key in ipairs({keys.people, keys.centroids, keys.counters}) do redis.call('HDEL', key, id) end
end
set_expiry(id, args.expires)
if args.samples then
    set(keys.centroids, id, args.samples.centroid)
    set(keys.counters, id, args.samples.counters)
    for _, field in ipairs(args.samples.removed) do
        redis.call('HDEL', keys.samples, field)
        pictures = pictures + redis.call('HDEL', keys.crops, field)
    end
    add_samples(args.samples.added)
end
local version = raise_version(id)
remember(version)
return {version, pictures}
