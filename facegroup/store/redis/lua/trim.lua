-- Remove entries of the audit log that are not to be kept any longer. args: note. Returns how many; 0: there are no more.
local chain = redis.call('HMGET', keys.chain, 'number', 'anchor_number', 'older')
if not chain[1] then return 0 end
local gone = outdated(chain[1] - chain[2] + chain[3], 0, 1000)
if #gone > 0 then redis.call('XDEL', keys.audit, unpack(gone)) end
return #gone
