#!/bin/bash
# Runs one mongod in the foreground as engine/native/mongod.py does: the same template, the same arguments; the image's own
# entrypoint makes the administrator at the first start.
#
# PORT   its port
# TLS    not empty: TLS, with mongo.pem and ca.crt of the secrets
# SET    only where several nodes are one cluster: the replica set's name
set -euo pipefail
umask 077
here="${HERE:-/opt/rollcall}" run="${RUN:-/run/rollcall}"
. "$here/fill.sh"

# it is in two networks, and its name is one address only. While the entrypoint makes the administrator it has mongod listen on
# 127.0.0.1 alone, so whoever asks by HOST, as its health does, waits until that is done
host=0.0.0.0 port="$PORT" data="${DATA:-/srv/mongo}"
fill "$here/mongod.yaml" > "$run/mongod.yaml"

several=()
if [ -n "${SET:-}" ]; then
    # what the nodes know each other by. Whoever has the administrator's password may do all of it anyway
    several=(--replSet "$SET" --keyFile "${SECRETS:-/run/secrets}/provision.password")
fi
tls=()
if [ -n "${TLS:-}" ]; then
    tls=(--tlsMode requireTLS --tlsCertificateKeyFile "${SECRETS:-/run/secrets}/mongo.pem"
         --tlsCAFile "${SECRETS:-/run/secrets}/ca.crt" --tlsAllowConnectionsWithoutCertificates)
fi
exec "${ENTRYPOINT:-docker-entrypoint.sh}" mongod --config "$run/mongod.yaml" --quiet "${several[@]}" "${tls[@]}"
