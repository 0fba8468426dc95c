#!/usr/bin/env bash
# Gives each fuzz target some time, and prints what each did. Arguments are targets: run.sh decoder http; without any, all.
# SECONDS_EACH (60) is how long each runs, JOBS (1) how many run at once, PROFILE (release) how they are built, CARGO the cargo. What a target finds new lies in
# target/fuzz/found/TARGET and is taken up by the next run, what ends it in target/fuzz/crashes. The exit code is 1 if something did.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cargo=${CARGO:-cargo}
built=${CARGO_TARGET_DIR:-$root/target}
out=$built/fuzz
seconds=${SECONDS_EACH:-60}
profile=${PROFILE:-release}

if [[ ${1:-} != --one ]]; then
  targets=("$@")
  if [[ ${#targets[@]} -eq 0 ]]; then
    for file in "$here"/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
  fi
  bins=()
  for target in "${targets[@]}"; do
    [[ -f $here/fuzz_targets/$target.rs ]] || { echo "fuzz: there is no target $target; see tests/fuzz/fuzz_targets" >&2; exit 1; }
    bins+=(--bin "$target")
  done
  RUSTC_WORKSPACE_WRAPPER=$here/counted.sh "$cargo" build --locked --profile "$profile" -p tickerd-fuzz --features tickerd-fuzz/run "${bins[@]}"
  mkdir -p "$out/crashes" "$out/logs"
  printf '%-10s %12s %9s %8s  %s\n' target inputs coverage 'CPU s' 'outcome'
  # The exit code is xargs's, which is not 0 once one was not.
  printf '%s\n' "${targets[@]}" | SECONDS_EACH=$seconds xargs -P "${JOBS:-1}" -I TARGET "${BASH_SOURCE[0]}" --one TARGET || exit 1
  exit 0
fi

target=$2
found=$out/found/$target log=$out/logs/$target
mkdir -p "$found"
code=0
start=$(date +%s)
# Inputs that take 25 s or 2 GiB are as bad as those that panic.
"$built/${profile/#dev/debug}/$target" -max_total_time="$seconds" -max_len=8192 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$out/crashes/$target-" "$found" "$here/corpus/$target" >"$log" 2>&1 || code=$?
# Of what this shell has waited for. A pipe would have a shell of its own, which has waited for nothing.
times >"$log.times"
spent=$(sed -n '2s/[ms]/ /gp' "$log.times" | awk '{printf "%.0f", $1 * 60 + $2 + $3 * 60 + $4}')
inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
[[ -n $inputs ]] || inputs=$(sed -n 's/^#\([0-9]*\).*/\1/p' "$log" | tail -n 1)
cover=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
if [[ $code -eq 0 && ${cover:-0} -eq 0 ]]; then
  # Without counters it only throws what it has, so nothing was looked for.
  code=1 outcome="NO COVERAGE: see $log"
elif [[ $code -eq 0 ]]; then outcome="nothing found"; else outcome="FOUND after $(($(date +%s) - start)) s: see $log"; fi
printf '%-10s %12s %9s %8s  %s\n' "$target" "${inputs:-0}" "${cover:-0}" "$spent" "$outcome"
exit "$code"
