#!/usr/bin/env bash
# Which tests fail by chance: those that wait on time run 20 times and the others 3 times, while two processes keep the
# machine busy. Prints how often each test failed, and ends with 1 if one did. What they said stays in target/flaky.
#
#   tests/flaky.sh                      everything; hours on a small machine
#   tests/flaky.sh rooms:: errors::     these tests alone, 20 times
#   TIMES=5 REST=1 tests/flaky.sh       fewer times
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# What waits on time: parts of names, as `cargo test` takes them. Add yours if it has a limit, a pause, a rate or a stop in it.
waits=(
  # tests/tests
  contract:: demo:: errors:: every_tick:: feed_ floods:: handshake:: heartbeat:: http:: metrics:: openapi:: plugin_run::
  posting:: protocol_md:: rates:: record:: recovery:: restart:: rooms:: rows:: shutdown:: slow_client:: stale systemd:: subscribe::
  # daemon
  endings:: executables:: hangs:: program_swaps:: programs:: swaps:: line_sink_tests:: watch::
  clients_that_dawdle oversized_requests who_arrives_during
  # feeds
  life:: limiter threads_with_handles binance:: kraken:: coinbase:: finnhub yahoo:: silence_and_a_slow_drip an_interruption
)
times=${TIMES:-20}
rest=${REST:-3}
logs=target/flaky
rm -rf "$logs"
mkdir -p "$logs"

cargo build --locked --workspace && cargo test --locked --workspace --no-run || exit 1
for _ in 1 2; do
  (while :; do :; done) &
  busy+=("$!")
done
trap 'kill "${busy[@]}" 2>/dev/null' EXIT

# Runs a command, and remembers which tests it says have failed. cargo, Python's unittest and node have their own ways to.
run() {
  local log="$logs/$1"
  shift
  "$@" >"$log" 2>&1 && return
  sed -nE -e 's/^test (.*) \.\.\. FAILED$/\1/p' -e 's/^(FAIL|ERROR): (.*)$/\2/p' -e 's/^ *(not ok [0-9]+ - |✖ )(.*)$/\2/p' \
    "$log" | sort -u >"$log.failed"
  # It may have died before it could say so.
  [ -s "$log.failed" ] || echo "$*: see $log" >"$log.failed"
  cat "$log.failed"
}

cargo_test() {
  cargo test --locked --workspace --lib --bins --tests --no-fail-fast -- "$@"
}

if [ $# -gt 0 ]; then
  waits=("$@")
  rest=0
fi
for ((n = 1; n <= times; n++)); do
  run "waits-$n" cargo_test "${waits[@]}"
done
for ((n = 1; n <= rest; n++)); do
  run "rest-$n" cargo_test "${waits[@]/#/--skip=}"
  run "clients-$n" tests/clients/run.sh
  run "contract-$n" npm --prefix tests/contract test
  run "browser-$n" npm --prefix tests/browser test
done

echo "failures in $times runs of what waits on time, and $rest of the rest:"
if cat "$logs"/*.failed 2>/dev/null | sort | uniq -c | sort -rn | grep .; then
  exit 1
fi
echo "none"
