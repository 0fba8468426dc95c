#!/bin/sh
# Marks a text without digits as the main field.
echo '{"tfp":1,"events":{"count":"state"},"docs":{"count":{"schema":{"type":"string","x-tickerd-main":true}}}}'
while :; do echo '{"event":"count","data":"one"}'; sleep 0.1; done
