-- Append an entry to the audit log. args: note. Returns nil where there is no gallery.
if redis.call('EXISTS', keys.gallery) == 0 then return nil end
note()
return 1
