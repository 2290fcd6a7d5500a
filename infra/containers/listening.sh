#!/bin/bash
# Health of a server: every port accepts connections, as the native stack asks (listening() in engine/native/server.py).
# Whether it also knows our passwords is what `rollcall provision` finds out, once, before any program starts.
#
#     listening.sh HOST PORT...
host="$1"
shift
for port in "$@"; do
    # shellcheck disable=SC2188
    timeout 1 bash -c "</dev/tcp/$host/$port" 2>/dev/null || { echo "$host:$port does not answer"; exit 1; }
done
