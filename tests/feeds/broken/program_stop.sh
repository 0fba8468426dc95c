#!/bin/sh
# Does not stop.
trap '' TERM
while :; do echo '{"event":"count","data":1}' || exit 1; sleep 0.1; done
