#!/bin/sh
# Nobody polls it, and it says how often.
echo '{"tfp":1,"feed":"org.example.counter","version":"1.0.0","min_poll_ms":100}'
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
