#!/usr/bin/env bash
# The package: what is in it (package.py), and what it does under a systemd that has really booted, in namespaces of its own (booted.py).
#   run.sh              both
#   run.sh package      the first alone
#   run.sh booted.Booted.test_it_is_removed_and_purged   one test
# BUILT names what is packed (target/debug), PYTHON the interpreter (python3).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
python=${PYTHON:-python3}
export BUILT=$(realpath "${BUILT:-$target/debug}") WORK=$target/package-test

skip() { echo "package: SKIPPED, since $*" >&2; exit 0; }

[[ -x $BUILT/tickerd ]] || { echo "package: there is no $BUILT/tickerd: run cargo build --workspace, or name the build in BUILT" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "package: $python is missing or older than 3.11: install a newer one, or name it in PYTHON" >&2; exit 1; }
for tool in dpkg-deb dpkg-shlibdeps objcopy; do
  command -v "$tool" >/dev/null || skip "$tool is missing: on Debian, install dpkg-dev and binutils"
done
if [[ $# -eq 0 ]]; then set -- package booted; fi
if [[ " $* " == *" booted"* ]]; then
  why=
  [[ $(id -u) -eq 0 ]] || why="only root may boot a systemd"
  for tool in mmdebstrap systemd-nspawn nsenter unshare; do
    command -v "$tool" >/dev/null || why="$tool is missing: on Debian, install mmdebstrap, systemd-container and util-linux"
  done
  # As in most containers.
  [[ -n $why ]] || unshare --mount mount -t tmpfs tmpfs /run 2>/dev/null || why="this machine lets nobody mount"
  if [[ -n $why ]]; then
    # What needs no root is tested all the same.
    [[ $* == "package booted" ]] || skip "$why"
    echo "package: the tests under systemd are SKIPPED, since $why" >&2
    set -- package
  fi
fi
mkdir -p "$WORK"
cd "$here"
exec "$python" -m unittest "$@"
