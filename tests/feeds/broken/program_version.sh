#!/bin/sh
# Its version cannot be compared.
echo '{"tfp":1,"feed":"org.example.counter","version":"v1"}'
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
