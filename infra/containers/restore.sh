#!/bin/bash
# `rollcall restore-check` in a container of its own, whose supervisor and stream end with it: a container that ends kills what is
# left. Its options are passed on. Whoever stops it ends the check, never the stream in the middle of a turn: `rollcall down` is
# waited for, as long as stop_grace_period lets it.
set -uo pipefail
trap 'kill -TERM "$!" 2>/dev/null' TERM INT
# beside this shell, which answers a signal only once what it runs in front of itself has ended
rollcall restore-check "$@" &
# a signal ends a wait, too
while kill -0 "$!" 2>/dev/null; do wait "$!"; done
wait "$!"
ended=$?
trap '' TERM INT
rollcall down
exit "$ended"
