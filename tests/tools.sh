#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: with apt when run as root, else it says what is missing.
set -euo pipefail

declare -A package_of=(
  [cc]=gcc [node]=nodejs [npm]=npm [chromium]=chromium [promtool]=prometheus [systemd-analyze]=systemd [curl]=curl
  [python3]=python3 [c++]=g++ [go]=golang-go [objcopy]=binutils [flock]=util-linux [setsid]=util-linux
)
missing=()
for tool in "${!package_of[@]}"; do
  command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "the tests need these packages (Debian's names): ${missing[*]}" >&2
  exit 1
fi
