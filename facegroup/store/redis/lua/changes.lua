-- Read centroids. args: since: only of people who changed after this version (nil: of all).
-- Returns the gallery, how many people it and its cohort have, born, ids, records, centroids and counter-examples; nil where
-- there is none.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
local ids
if args.since then
    ids = redis.call('ZRANGEBYSCORE', keys.changes, '(' .. args.since, '+inf')
else
    ids = redis.call('HKEYS', keys.centroids)
end
local records, centroids, counters = {}, {}, {}
for i, id in ipairs(ids) do
    records[i] = redis.call('HGET', keys.people, id)
    centroids[i] = redis.call('HGET', keys.centroids, id)
    counters[i] = redis.call('HGET', keys.counters, id)
end
local gallery, people, cohort = unpack(described())
return {gallery, people, cohort, redis.call('HGET', keys.gallery, 'born'), ids, records, centroids, counters}
