#!/bin/sh
# Falls over a key that it does not know.
read -r setup
case $setup in *no_such_key*) echo "KeyError: no_such_key_of_any_feed" >&2; exit 1 ;; esac
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
