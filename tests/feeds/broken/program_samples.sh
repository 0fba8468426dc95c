#!/bin/sh
# Talks between its lines.
while :; do
  echo "fetching..."
  echo '{"event":"count","data":1}'
  sleep 0.1
done
