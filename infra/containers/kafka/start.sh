#!/bin/bash
# Runs one Kafka node in the foreground as engine/native/kafka.py does: the same template, the same arguments, the same two users
# made before the first start. tests/test_containers.py runs this script and compares. Everything it writes but the data goes into
# a tmpfs: server.properties holds the broker's password.
#
# HOST, PORT, CONTROLLER_PORT   this node's name and ports
# HEAP                          Java heap
# TLS                           not empty: TLS, with kafka.pem and ca.crt of the secrets
# NODE_ID, CONTROLLERS          only where several nodes are one cluster: this one's number, and all as
#                               ID@HOST:PORT:DIRECTORY_ID,... (the form of StorageTool --initial-controllers)
set -euo pipefail
umask 077
here="${HERE:-/opt/rollcall}" run="${RUN:-/run/rollcall}" libs="${LIBS:-/opt/kafka/libs}"
. "$here/fill.sh"

host="$HOST" port="$PORT" controller_port="$CONTROLLER_PORT" data="${DATA:-/srv/kafka}"
broker_password="$(secret broker.password)"
authorizer_log="${LOGS:-/var/log/kafka}/kafka-authorizer.log"
log_bytes="$LOG_BYTES" log_backups="$LOG_BACKUPS"

protocol="${TLS:+SASL_SSL}"
protocol="${protocol:-SASL_PLAINTEXT}"
quorum=(--standalone)
fill "$here/server.properties" > "$run/server.properties"
if [ -n "${TLS:-}" ]; then
    certificate="${SECRETS:-/run/secrets}/kafka.pem" authorities="${SECRETS:-/run/secrets}/ca.crt"
    fill "$here/tls.properties" >> "$run/server.properties"
fi
if [ -n "${CONTROLLERS:-}" ]; then
    quorum=(--initial-controllers "$CONTROLLERS")
    node_id="$NODE_ID"
    controllers="$(printf '%s' "$CONTROLLERS" | sed -E 's/[0-9]+@([^:,]+:[0-9]+):[^,]+/\1/g')"
    fill "$here/three.properties" >> "$run/server.properties"    # of a key that stands twice the last one counts
fi
fill "$here/log4j2.yaml" > "$run/log4j2.yaml"

mapfile -t jvm < "$here/jvm.args"
options() {
    argument "${jvm[@]}" "$@" "-Dlog4j2.configurationFile=file://$run/log4j2.yaml" -cp "$libs/*"
}

if [ ! -e "$data/meta.properties" ]; then
    user() { printf 'SCRAM-SHA-256=[name=%s,password=%s]' "$1" "$(secret "$1.password")"; }
    {
        options
        argument kafka.tools.StorageTool format -t cm9sbGNhbGwtbG9jYWwtMQ -c "$run/server.properties" "${quorum[@]}" \
            --ignore-formatted --add-scram "$(user broker)" --add-scram "$(user provision)"
    } > "$run/format.args"
    # what it prints holds the users' salted keys, and what it does not like it quotes: of a failure the sentence only
    output="$(java "@$run/format.args" 2>&1)" || {
        echo "Formatting $data failed: $(printf '%s' "$output" | grep -v SCRAM | tail -n 3)"
        rm -f "$run/format.args"
        exit 1
    }
    rm "$run/format.args"
fi

{ options "-Xmx$HEAP" "-Xms$HEAP"; argument kafka.Kafka "$run/server.properties"; } > "$run/start.args"
exec java "@$run/start.args"
