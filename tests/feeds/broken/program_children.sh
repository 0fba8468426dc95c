#!/bin/sh
# Starts what outlives it.
setsid sleep 60 </dev/null >/dev/null 2>&1 &
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
