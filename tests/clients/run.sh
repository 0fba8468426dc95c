#!/usr/bin/env bash
# Runs the clients of other makers against the daemon. Arguments are unittest's: run.sh Compression
# TICKERD_BIN names the daemon (target/debug/tickerd), PYTHON the interpreter (python3).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
work=$target/clients
python=${PYTHON:-python3}
export TICKERD_BIN=${TICKERD_BIN:-$target/debug/tickerd}

[[ -x $TICKERD_BIN ]] || { echo "clients: there is no $TICKERD_BIN: run cargo build -p tickerd -p tickerd-feed-sim" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "clients: $python is missing or older than 3.11: install a newer one, or name it in PYTHON" >&2; exit 1; }
mkdir -p "$work"
if ! cmp -s "$here/requirements.txt" "$work/installed"; then
  rm -rf "$work/venv" "$work/installed"
  "$python" -m venv "$work/venv" || { echo "clients: $python has no venv: install python3-venv" >&2; exit 1; }
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/installed"
fi
cd "$here"
exec "$work/venv/bin/python" -m unittest clients "${@/#/clients.}"
