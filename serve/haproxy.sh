#!/bin/sh
# HAProxy, which ends with the process that started it: otherwise it outlives a server that was killed, goes on holding
# the port, and the next server cannot start. HAPROXY is the real binary; launch.py sets it.
exec setpriv --pdeathsig KILL -- "$HAPROXY" "$@"
