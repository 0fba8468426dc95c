#!/bin/sh
# Promises signs of life, says one thing, and is silent.
echo '{"tfp":1,"feed":"org.example.counter","version":"1.0.0","features":["heartbeat"]}'
echo '{"event":"count","data":1}'
while read -r order; do :; done
