#!/bin/sh
# Wants to be polled, and answers no poll.
echo '{"tfp":1,"feed":"org.example.counter","version":"1.0.0","mode":"poll","default_poll_ms":1000,"min_poll_ms":100}'
while read -r order; do
  case $order in *'"stop"'*) exit 0 ;; esac
  echo '{"event":"count","data":1}'
done
