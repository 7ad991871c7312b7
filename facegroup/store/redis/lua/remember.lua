-- Remember a request that changed nothing. args: note; id; read: the record that was read.
-- Returns the version, -1 or nil, as change_person does.
local version = redis.call('HGET', keys.gallery, 'version')
if not version then return nil end
if redis.call('HGET', keys.people, args.id) ~= args.read or repeated() then return -1 end
remember(version)
return tonumber(version)
