#!/usr/bin/env bash
# What a daemon may have to bear, row by row: run.sh [--short] [ROW...]. See README.md here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
export TICKERD_BIN=${TICKERD_BIN:-$target/debug/tickerd}
[[ -x $TICKERD_BIN ]] || { echo "torture: there is no $TICKERD_BIN: run cargo build -p tickerd -p tickerd-feed-sim -p tickerd-feed-zoo" >&2; exit 1; }
. "$here/../clients/venv.sh"
export TORTURE_OUT=$target/torture
mkdir -p "$TORTURE_OUT"
cc -shared -fPIC -O1 -Wall -Werror -o "$TORTURE_OUT/clock.so" "$here/clock.c" -ldl
# First, that the checker finds what it is there for.
(cd "$here" && "$venv_python" -m unittest --quiet checker_test)
exec "$venv_python" "$here/torture.py" "$@"
