#!/bin/sh
# The feed between two pipes, with this script in tickerd's place.
set -eu
feed=$(dirname "$0")/../example-sh.sh

fail() {
  echo "not so: $1: $2" >&2
  exit 1
}

said=$(printf '%s\n' '{"tfp":1,"config":{"range_m":4,"period_s":30}}' '{"poll":1,"deadline_ms":1000}' \
  '{"poll":2,"deadline_ms":1000}' '{"stop":true}' '{"poll":3}' | "$feed")
case $said in
  '{"tfp":1,'*'"topic":"harbour","event":"tide","data":{"level_m":'*'{"done":1}'*'"level_m":'*'{"done":2}') ;;
  *) fail "each poll is answered until it is told to stop" "$said" ;;
esac

said=$(echo '{"tfp":1,"config":{}}' | "$feed")
case $said in
  '{"tfp":1,'*'}') ;;
  *) fail "the end of input stops it" "$said" ;;
esac

for config in '{"range_m":-1}' '{"rang":1}' '{"period_s":"long"}' '{"range_m":0}' '[]' '{"range_m":"$(id)"}'; do
  code=0
  said=$(echo "{\"tfp\":1,\"config\":$config}" | "$feed") || code=$?
  case $code$said in
    '78{"fail":"config","msg":"'*) ;;
    *) fail "a wrong configuration is told" "$config: $code $said" ;;
  esac
done
echo "3 tests passed"
