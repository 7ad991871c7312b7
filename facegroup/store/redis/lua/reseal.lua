-- Replace values by themselves under another key; see facegroup.store.conversion.
-- args: seal: see the prelude; read: the words that were read (nil: not asked), words: to write in their place (nil: none);
-- values: place in the keys, field, value that was read and value to write of each.
-- Returns how many values were replaced; -1 where the words are others; nil where there is no gallery.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
if args.words then
    if (redis.call('HGET', keys.gallery, 'encryption') or '') ~= args.read then return -1 end
    set_words(args.words)
end
local count = 0
for _, each in ipairs(args.values) do
    local key, field, read, becomes = unpack(each)
    if redis.call('HGET', keys[key], field) == read then
        redis.call('HSET', keys[key], field, becomes)
        count = count + 1
    end
end
return count
