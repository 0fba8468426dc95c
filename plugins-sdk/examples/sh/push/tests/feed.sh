#!/bin/sh
# The feed between two pipes, with this script in tickerd's place.
set -eu
feed=$(dirname "$0")/../example-sh.sh

fail() {
  echo "not so: $1: $2" >&2
  exit 1
}

# A named pipe as its input, which stays open until the feed is told to stop.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/in" "$folder/out"
"$feed" <"$folder/in" >"$folder/out" &
exec 8>"$folder/in" 9<"$folder/out"
echo '{"tfp":1,"config":{"range_m":4,"period_s":30}}' >&8
read -r said <&9
case $said in '{"tfp":1,'*'"mode":"push"'*) ;; *) fail "it says hello" "$said" ;; esac
for _ in 1 2; do
  read -r said <&9
  case $said in
    '{"topic":"harbour","event":"tide","data":{"level_m":'*'}}') ;;
    *) fail "levels come until it is told to stop" "$said" ;;
  esac
done
echo '{"stop":true}' >&8
wait $! || fail "it ends well" $?

"$feed" <<'END' >"$folder/said" || fail "the end of input stops it" $?
{"tfp":1,"config":{}}
END

for config in '{"range_m":-1}' '{"rang":1}' '{"period_s":"long"}' '{"range_m":0}' '[]' '{"range_m":"$(id)"}'; do
  code=0
  said=$(echo "{\"tfp\":1,\"config\":$config}" | "$feed") || code=$?
  case $code$said in
    '78{"fail":"config","msg":"'*) ;;
    *) fail "a wrong configuration is told" "$config: $code $said" ;;
  esac
done
echo "3 tests passed"
