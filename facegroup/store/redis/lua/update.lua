-- Change settings. args: note; fields and values to set; network (nil: any): that the gallery must have; made: network and
-- decision of the calibration among the values (nil: there is none), which must be the gallery's; pins: whether a field that
-- has a value stays (nil: none does).
-- Returns as create does; or only network and decision that the gallery has instead; nil where there is no gallery.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
local fields, network, decision = {}, unpack(redis.call('HMGET', keys.gallery, 'network', 'decision'))
decision = decision or 'cosine'
for i = 1, #args.fields, 2 do
    if not args.pins or (redis.call('HGET', keys.gallery, args.fields[i]) or '') == '' then
        table.insert(fields, args.fields[i])
        table.insert(fields, args.fields[i + 1])
        if args.fields[i] == 'decision' then decision = args.fields[i + 1] end
    end
end
if #fields > 0 then
    local made, other = args.made, args.network and args.network ~= network
    if other or made and (made.network ~= network or made.decision ~= decision) then return {network, decision} end
    redis.call('HSET', keys.gallery, unpack(fields))
    if redis.call('HGET', keys.gallery, 'keep_crops') == '0' then redis.call('UNLINK', keys.crops) end
    raise_version(nil)
end
return described()
