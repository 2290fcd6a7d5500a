#!/bin/bash
# nodetool on this container's node, as engine/native/nodetool.py runs it. What it is told may name people: with - as its last word
# it reads the others from standard input, a line each, so that they stand on no command line; its history goes when it ends.
#
#     nodetool.sh forcecompact rollcall profiles - < numbers
set -euo pipefail
umask 077
here="${HERE:-/opt/rollcall}" run="${RUN:-/run/rollcall}" libs="${LIBS:-/opt/cassandra/lib}"
. "$here/fill.sh"

words=("$@")
if [ "${!#}" = - ]; then
    unset 'words[-1]'
    mapfile -t -O "${#words[@]}" words
fi
folder="$(mktemp -d "$run/nodetool-XXXXXX")"
trap 'rm -rf "$folder"' EXIT
mapfile -t modules < "$here/modules.args"
# it wants a home that it can write to
argument "${modules[@]}" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData "-Duser.home=$folder" \
    "-Dlogback.configurationFile=$here/logback.xml" -cp "$libs/*" org.apache.cassandra.tools.NodeTool \
    -h 127.0.0.1 -p 7199 "${words[@]}" > "$folder/nodetool.args"
java "@$folder/nodetool.args"
