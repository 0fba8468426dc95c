#!/bin/sh
# A simulated tide, told to tickerd in lines of JSON: the moon's pull, and the sun's, a little quicker, so that springs and
# neaps come and go. Standard output belongs to tickerd; what is for people goes to standard error.
set -u
LC_ALL=C
export LC_ALL

# 78 is EX_CONFIG: someone has to change something.
refuse() {
  printf '{"fail":"config","msg":"%s"}\n' "$1"
  exit 78
}

# The first line is the setup. A flat table of numbers can be read with sed; for more than that use jq.
IFS= read -r setup || exit 0
config=$(printf '%s\n' "$setup" | sed -n 's/.*"config" *: *{\([^{}]*\)}.*/\1/p' | tr -d ' ')
case $setup in *'"config"'*'{'*) ;; *) refuse "the configuration must be a table" ;; esac
range_m=2 period_s=60
IFS=,
for entry in $config; do
  value=${entry#*:}
  case $value in '' | *[!0-9.eE+-]*) refuse "range_m and period_s, and no other key, are numbers" ;; esac
  case $entry in
    '"range_m":'*) range_m=$value ;;
    '"period_s":'*) period_s=$value ;;
    *) refuse "there are two keys: range_m and period_s" ;;
  esac
done
unset IFS
awk "BEGIN { exit !($range_m > 0 && $range_m <= 100) }" || refuse "range_m: write a number above 0, at most 100"
awk "BEGIN { exit !($period_s >= 1 && $period_s <= 1000000) }" || refuse "period_s: write a number from 1 to 1000000"

tell() {
  awk -v now="$(date +%s)" -v range="$range_m" -v period="$period_s" 'BEGIN {
    turn = 6.283185307179586 * now / period
    printf "{\"topic\":\"harbour\",\"event\":\"tide\",\"data\":{\"level_m\":%.3f}}\n",
      range / 2 * (0.7 * sin(turn) + 0.3 * sin(turn * 1.035))
  }'
}

# What a value looks like; x-tickerd-main marks the figure to show and to chart.
schema='{"type":"object","required":["level_m"],"properties":{"level_m":{"type":"number","x-tickerd-main":true,"x-tickerd-role":"gauge","x-tickerd-unit":"m"}}}'
echo '{"tfp":1,"feed":"org.example.example-sh","version":"0.1.0","mode":"push","events":{"tide":"state"},"docs":{"tide":{"description":"How high the water is.","schema":'"$schema"'}}}'
# One process speaks while this one listens; the end of input, or an order to stop, ends both, and the sleep that is under way.
speak() {
  trap 'kill "${!-}" 2>/dev/null; wait; exit 0' TERM
  while tell; do
    sleep 1 &
    wait "$!"
  done
}
speak &
speaker=$!
trap 'kill "$speaker" 2>/dev/null; wait' EXIT
while IFS= read -r order; do
  case $order in *'"stop":true'*) break ;; esac
done
