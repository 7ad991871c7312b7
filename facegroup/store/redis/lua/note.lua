-- Append an entry to the audit log. args: note; server: whether it is the server's. Returns nil where there is no gallery.
if not args.server and redis.call('EXISTS', keys.gallery) == 0 then return nil end
note()
return 1
