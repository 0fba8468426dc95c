#!/bin/sh
# Gives its time in seconds.
while :; do echo '{"event":"count","data":1,"ts":'"$(date +%s)"'}'; sleep 0.1; done
