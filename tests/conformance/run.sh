#!/usr/bin/env bash
# Holds /echo to the Autobahn cases and fails unless every case ends as expected.json says.
#   run.sh             compare
#   run.sh --quick     the same without most of the compression cases, which take minutes
#   run.sh --accept    write expected.json anew
# TICKERD_BIN names the daemon (target/debug/tickerd), PYTHON the interpreter (python3).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
work=$target/conformance
bin=${TICKERD_BIN:-$target/debug/tickerd}
python=${PYTHON:-python3}

fail() { echo "conformance: $*" >&2; exit 1; }

[[ -x $bin ]] || fail "there is no $bin: run cargo build -p tickerd, or name the daemon in TICKERD_BIN"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  fail "$python is missing or older than 3.10: install a newer one, or name it in PYTHON"

mkdir -p "$work"
if ! cmp -s "$here/requirements.txt" "$work/installed"; then
  rm -rf "$work/venv" "$work/installed"
  "$python" -m venv "$work/venv" || fail "$python has no venv: install python3-venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/installed"
fi

# The daemon's environment is ours alone: a TICKERD_ variable of the caller would be configuration.
unset "${!TICKERD_@}"
exec 3< <(exec "$bin" run --config "$here/tickerd.toml" 2> "$work/daemon.log")
daemon=$!
trap 'kill "$daemon" 2>/dev/null || true' EXIT
read -r -t 20 line <&3 || fail "the daemon does not start: $(cat "$work/daemon.log")"
[[ $line =~ http://([^/]+)/ ]] || fail "the daemon printed no address but: $line"

rm -rf "$work/report" "$work/shared"
SECONDS=0
# It fails for a case that is merely unimplemented too, so its report is the answer and not its exit code.
select=()
[[ ${1-} != --quick ]] || for group in 12.{2..5} 13.{1,2,4,5,6,7}; do select+=(--exclude "$group.*"); done
at=ws://${BASH_REMATCH[1]}/echo
"$work/venv/bin/kosoku" "${select[@]}" --parallelism 4 --outdir "$work/report" "$at" > "$work/runner.log" 2>&1 || true
[[ -f $work/report/index.json ]] || fail "no report came: $(cat "$work/runner.log")"
# The cases of compression again, in a stream as clients share it, which must be what is agreed on.
exec 4<> "/dev/tcp/${BASH_REMATCH[1]/://}"
printf '%s\r\n' 'GET /echo/shared HTTP/1.1' 'Host: localhost' 'Connection: Upgrade' 'Upgrade: websocket' 'Sec-WebSocket-Version: 13' \
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' 'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=13' '' >&4
agreed=$(timeout 20 sed -n '/^sec-websocket-extensions/Ip; /^\r$/q' <&4 || true)
exec 4>&-
[[ $agreed == *"permessage-deflate"* && $agreed != *server_no_context_takeover* ]] || fail "/echo/shared does not share: $agreed"
for group in {1..7} 9 10; do select+=(--exclude "$group.*"); done
"$work/venv/bin/kosoku" "${select[@]}" --parallelism 4 --outdir "$work/shared" "$at/shared" >> "$work/runner.log" 2>&1 || true
[[ -f $work/shared/index.json ]] || fail "no report came: $(cat "$work/runner.log")"
took=$SECONDS
peak=$(awk '/VmHWM/ { printf "; the daemon held %d MiB at most", $2 / 1024 }' "/proc/$daemon/status" 2>/dev/null || true)

kill "$daemon"
wait "$daemon" || fail "the daemon ended with status $?: $(cat "$work/daemon.log")"
trap - EXIT
echo "conformance: the cases took $took s$peak"
"$python" "$here/compare.py" "$work/report" "$here/expected.json" "$@"
echo "conformance: the same of /echo/shared"
"$python" "$here/compare.py" "$work/shared" "$here/expected.json" --quick
cases() { "$python" -c 'import json, sys; print(sum(case.startswith(("12.", "13.")) for one in json.load(open(sys.argv[1])).values() for case in one))' "$1"; }
[[ $(cases "$work/shared/index.json") == $(cases "$work/report/index.json") ]] || fail "/echo/shared was not held to all cases of compression"
