#!/bin/sh
# Stands in for the tickerd executable: becomes the test program that started it, which then does as it is told. Standard
# output is kept for the feed, and the test harness's own words go nowhere. What else is open was inherited on purpose.
STAND_IN_OUT=3
if [ -e /proc/self/fd/3 ]; then STAND_IN_OUT=4; fi
export STAND_IN_OUT
eval "exec $STAND_IN_OUT>&1"
exec "/proc/$PPID/exe" --exact tests::stand_in::child --nocapture -q -- "$@" >/dev/null
