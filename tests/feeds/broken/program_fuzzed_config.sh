#!/bin/sh
# Crashes on what it has not seen before.
read -r setup
case $setup in
*'"config":{}'* | *'"config":[]'* | *no_such_key*) ;;
*) kill -SEGV $$ ;;
esac
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
