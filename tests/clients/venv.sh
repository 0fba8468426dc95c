# To be sourced: makes the Python environment of tests/clients in target/clients/venv, and names its interpreter in `venv_python`.
# PYTHON names the Python it is made with (python3).
clients_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv_dir=${CARGO_TARGET_DIR:-$clients_dir/../../target}/clients
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "clients: $python is missing or older than 3.11: install a newer one, or name it in PYTHON" >&2; exit 1; }
mkdir -p "$venv_dir"
if ! cmp -s "$clients_dir/requirements.txt" "$venv_dir/installed"; then
  rm -rf "$venv_dir/venv" "$venv_dir/installed"
  "$python" -m venv "$venv_dir/venv" || { echo "clients: $python has no venv: install python3-venv" >&2; exit 1; }
  "$venv_dir/venv/bin/pip" install --quiet --disable-pip-version-check -r "$clients_dir/requirements.txt"
  cp "$clients_dir/requirements.txt" "$venv_dir/installed"
fi
venv_python=$venv_dir/venv/bin/python
