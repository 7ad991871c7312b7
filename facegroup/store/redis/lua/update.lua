-- Change settings. args: note; network: that the gallery must have (nil: any); fields and values to set; pins: whether a
-- field that has a value stays (nil: none does).
-- Returns as create does; or only the network that the gallery has instead; nil where there is no gallery.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
local fields = {}
for i = 1, #args.fields, 2 do
    if not args.pins or (redis.call('HGET', keys.gallery, args.fields[i]) or '') == '' then
        table.insert(fields, args.fields[i])
        table.insert(fields, args.fields[i + 1])
    end
end
if #fields > 0 then
    local network = redis.call('HGET', keys.gallery, 'network')
    if args.network and network ~= args.network then return {network} end
    redis.call('HSET', keys.gallery, unpack(fields))
    if redis.call('HGET', keys.gallery, 'keep_crops') == '0' then redis.call('UNLINK', keys.crops) end
    raise_version(nil)
end
return described()
