#!/bin/sh
# Stands in for the tickerd executable: becomes the test program that started it, which then does as it is told. Standard
# output is kept for the feed, and the test harness's own words go nowhere.
exec 3>&1 >/dev/null
exec "/proc/$PPID/exe" --exact feed::tests::stand_in::child --nocapture -q -- "$@"
