-- Change settings. args: note; network: that the gallery must have (nil: any); fields and values to set.
-- Returns as create does; or only the network that the gallery has instead; nil where there is no gallery.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
if #args.fields > 0 then
    local network = redis.call('HGET', keys.gallery, 'network')
    if args.network and network ~= args.network then return {network} end
    redis.call('HSET', keys.gallery, unpack(args.fields))
    if redis.call('HGET', keys.gallery, 'keep_crops') == '0' then redis.call('UNLINK', keys.crops) end
    raise_version(nil)
end
return described()
