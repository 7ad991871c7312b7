-- Add to the cohort or erase of it.
-- args: note; network: of the gallery that was read; added: id and value of each; removed: ids.
-- Returns the version; -1 where the network is another, one to add is there, one to erase is not, or the request was done
-- before; nil where there is no gallery.
local network, version, cohort = unpack(redis.call('HMGET', keys.gallery, 'network', 'version', 'cohort_version'))
if not version then return nil end
if not cohort then redis.call('UNLINK', keys.cohort) end -- left by an older facegroup, which erased the gallery
if network ~= args.network or repeated() then return -1 end
for _, each in ipairs(args.added) do if redis.call('HGET', keys.cohort, each.id) then return -1 end end
for _, id in ipairs(args.removed) do if not redis.call('HGET', keys.cohort, id) then return -1 end end
if #args.added + #args.removed > 0 then
    for _, each in ipairs(args.added) do redis.call('HSET', keys.cohort, each.id, each.value) end
    for _, id in ipairs(args.removed) do redis.call('HDEL', keys.cohort, id) end
    version = raise_version(nil)
    redis.call('HSET', keys.gallery, 'cohort_version', string.format('%.0f', version))
end
remember(tonumber(version))
return tonumber(version)
