#!/bin/bash
# Runs one Cassandra node in the foreground as engine/native/cassandra.py does: the same template, the same arguments.
# tests/test_containers.py runs this script and compares. What it writes but the data goes into a tmpfs.
#
# HOST, PORT, STORAGE_PORT   this node's name and ports
# HEAP, COMMITLOG_SYNC       as the settings of the same names
# TLS                        not empty: TLS, with cassandra.pem and ca.crt of the secrets
# SEED                       only where several nodes are one cluster: the name of the node that the others ask first
set -euo pipefail
umask 077
here="${HERE:-/opt/rollcall}" run="${RUN:-/run/rollcall}" libs="${LIBS:-/opt/cassandra/lib}"
. "$here/fill.sh"

# a name is one address here: the container is in one network
host="$HOST" port="$PORT" storage_port="$STORAGE_PORT" data="${DATA:-/srv/cassandra}"
commitlog_sync="$COMMITLOG_SYNC"
case "$commitlog_sync" in
    periodic) commitlog_option="commitlog_sync_period: 10000ms" ;;
    group) commitlog_option="commitlog_sync_group_window: 2ms" ;;
    batch) commitlog_option="" ;;
esac

fill "$here/cassandra.yaml" > "$run/cassandra.yaml"
if [ -n "${SEED:-}" ]; then
    # 16 tokens, placed for three replicas, spread rows evenly; with the native single token a fourth node would halve one
    sed -i -e "s/^num_tokens: .*/num_tokens: 16\nallocate_tokens_for_local_replication_factor: 3/" \
        -e "s/- seeds: .*/- seeds: \"$SEED:$storage_port\"/" "$run/cassandra.yaml"
    # sign-in must not depend on one node: who may sign in is kept three times
    nodes=(cassandra.system_auth.default_rf=3)
else
    # a node that has no other to wait for starts at once
    nodes=(cassandra.superuser_setup_delay_ms=0 cassandra.skip_wait_for_gossip_to_settle=0 cassandra.ring_delay_ms=1
           cassandra.initial_token=0)
fi

if [ -n "${TLS:-}" ]; then
    certificate="${SECRETS:-/run/secrets}/cassandra.pem" authorities="${SECRETS:-/run/secrets}/ca.crt"
    fill "$here/tls.yaml" >> "$run/cassandra.yaml"
fi

mapfile -t jvm < "$here/jvm.args"
mapfile -t modules < "$here/modules.args"
{
    argument "${jvm[@]}" "-Xmx$HEAP" "-Xms$HEAP" -Xss512k "-javaagent:$(echo "$libs"/jamm-*.jar)" \
        "${modules[@]}" "-Dcassandra.config=file://$run/cassandra.yaml" "-Dcassandra.storagedir=$data" \
        "-Dlogback.configurationFile=$here/logback.xml" -Dcassandra-foreground=yes \
        -Dcassandra.auth_bcrypt_gensalt_log2_rounds=4 "${nodes[@]/#/-D}" \
        -Dio.netty.tryReflectionSetAccessible=true -Djdk.attach.allowAttachSelf=true \
        -Dcassandra.jmx.local.port=7199 \
        -cp "$libs/*" org.apache.cassandra.service.CassandraDaemon
} > "$run/start.args"
exec java "@$run/start.args"
