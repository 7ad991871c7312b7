#!/bin/sh
# What Ray starts as HAProxy: it makes Ray's configuration safe (haproxy_config.py says how) and becomes HAProxy. HAPROXY is
# the real one and HAPROXY_PYTHON a Python; instance.py sets both.
exec "${HAPROXY_PYTHON:-python3}" -I -S "$(dirname "$0")/haproxy_config.py" "$@"
