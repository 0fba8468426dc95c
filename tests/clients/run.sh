#!/usr/bin/env bash
# Runs the clients of other makers against the daemon. Arguments are unittest's: run.sh clients.Compression together
# TICKERD_BIN names the daemon (target/debug/tickerd), PYTHON and NODE the interpreters (python3, node), CHROMIUM the browser.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
export TICKERD_BIN=${TICKERD_BIN:-$target/debug/tickerd}

[[ -x $TICKERD_BIN ]] || { echo "clients: there is no $TICKERD_BIN: run cargo build -p tickerd -p tickerd-feed-sim" >&2; exit 1; }
"${NODE:-node}" -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2010 ? 1 : 0)' ||
  { echo "clients: ${NODE:-node} is missing or older than 20.10: install a newer one, or name it in NODE" >&2; exit 1; }
[[ -d $here/../browser/node_modules ]] || { echo "clients: run npm ci in tests/browser, for the browser's tests" >&2; exit 1; }
[[ -d $here/../../dashboards/client/node_modules ]] || { echo "clients: run npm ci in dashboards/client, for the client in Node" >&2; exit 1; }
. "$here/venv.sh"
cd "$here"
if [[ $# -gt 0 ]]; then exec "$venv_python" -m unittest "$@"; fi
# They wait for most of their time, so two run at once, the longest first. What one said is shown when it has ended.
printf '%s\n' python_client shared clients together access examples signed operator_guide bars python_parts |
  xargs -P 2 -I MODULE bash -c 'if said=$("$0" -m unittest MODULE 2>&1); then code=0; else code=1; fi; printf "%s:\n%s\n" MODULE "$said"; exit "$code"' "$venv_python"
