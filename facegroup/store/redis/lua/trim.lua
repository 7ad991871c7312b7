-- Remove entries of the audit log that are not to be kept any longer. args: note. Returns how many; 0: there are no more.
if redis.call('EXISTS', keys.chain) == 0 then return 0 end
local _, gone = outdated(0, 1000)
if #gone > 0 then redis.call('XDEL', keys.audit, unpack(gone)) end
return #gone
