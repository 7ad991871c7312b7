-- Write one person whole to a staging copy, over the one of the same id.
-- args: id; record; old_name (nil: none), new_name: members of the index by name; expires (nil: never); centroid and
-- counters (nil: none); seal: see the prelude; samples: field, value and crop (nil: none) of each.
-- Returns the version; nil where there is no copy.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
local id, before = args.id, redis.call('HGET', keys.people, args.id)
if before then
    local kept = cjson.decode(before)
    for _, ids in ipairs({kept.samples, kept.counters or {}}) do
        for _, sample in ipairs(ids) do
            redis.call('HDEL', keys.samples, id .. ':' .. sample)
            redis.call('HDEL', keys.crops, id .. ':' .. sample)
        end
    end
end
if args.old_name then redis.call('ZREM', keys.names, args.old_name) end
redis.call('ZADD', keys.ids, 0, id)
redis.call('ZADD', keys.names, 0, args.new_name)
redis.call('HSET', keys.people, id, args.record)
set(keys.centroids, id, args.centroid)
set(keys.counters, id, args.counters)
set_expiry(id, args.expires)
add_samples(args.samples)
return redis.call('HINCRBY', keys.gallery, 'version', 1)
