-- Create a gallery where there is none. args: note; fields and values of the gallery.
-- Returns the gallery, old or new, and how many people it and its cohort have.
if redis.call('EXISTS', keys.gallery) == 0 then
    local born = redis.call('GET', keys.born) or '0'
    redis.call('UNLINK', keys.counters, keys.cohort)
    redis.call('HSET', keys.gallery, 'version', born, 'born', born, unpack(args.fields))
    note()
end
return described()
