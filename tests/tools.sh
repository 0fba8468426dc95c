#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: with apt when run as root, else it says what is missing. What only some tests
# need, who say so themselves when they skip, is installed where it can be and not asked for.
set -euo pipefail

# Where servers are, which is not in everyone's PATH.
PATH="$PATH:/usr/sbin:/sbin"
declare -A package_of=(
  [cc]=gcc [node]=nodejs [npm]=npm [chromium]=chromium [promtool]=prometheus [systemd-analyze]=systemd [curl]=curl
  [python3]=python3 [c++]=g++ [go]=golang-go [objcopy]=binutils [flock]=util-linux [setsid]=util-linux
  [nginx]=nginx [haproxy]=haproxy [nats-server]=nats-server [openssl]=openssl [strace]=strace [ip]=iproute2 [faketime]=faketime
)
missing=()
for tool in "${!package_of[@]}"; do
  command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
done
for library in nhooyr.io github.com/gorilla; do
  [ -d "/usr/share/gocode/src/$library/websocket" ] && continue
  case "$library" in nhooyr.io) missing+=(golang-nhooyr-websocket-dev) ;; *) missing+=(golang-github-gorilla-websocket-dev) ;; esac
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
declare -A wanted=(
  [lintian]=lintian [mmdebstrap]=mmdebstrap [systemd-nspawn]=systemd-container [dpkg-shlibdeps]=dpkg-dev
)
able=0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  able=1
  for tool in "${!wanted[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${wanted[$tool]}")
  done
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ $able -eq 1 ]; then
  export DEBIAN_FRONTEND=noninteractive
  # The tests start nginx, haproxy, nats-server and prometheus themselves: the packages must start none, neither now nor at the next boot.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if command -v systemctl >/dev/null; then
    for service in nginx haproxy nats-server; do
      case " ${missing[*]} " in *" $service "*) systemctl disable --quiet "$service" 2>/dev/null || true ;; esac
    done
  fi
else
  echo "the tests need these packages (Debian's names): ${missing[*]}" >&2
  exit 1
fi
