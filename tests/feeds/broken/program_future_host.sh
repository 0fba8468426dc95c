#!/bin/sh
# Knows all keys that there will ever be.
read -r setup
case $setup in *tomorrow*) echo "what is tomorrow?" >&2; exit 1 ;; esac
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
