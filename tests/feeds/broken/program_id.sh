#!/bin/sh
# Its name is nobody's domain.
echo '{"tfp":1,"feed":"counter","version":"1.0.0"}'
while :; do echo '{"event":"count","data":1}'; sleep 0.1; done
