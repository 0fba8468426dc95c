#!/bin/sh
# Installs tickerd, or takes it away again: `install.sh` or `install.sh uninstall`. `make install` and `make package` call it in a
# source tree; in the archive it stands at the top.
#   PREFIX=/usr/local   where
#   DESTDIR=            a folder that stands for /, for packages: nothing is given to group tickerd then
#   BUILT=              what was built: built/ in the archive, target/release in a source tree
#   FILES=              the programs and plugins in BUILT; without it all that are there
set -eu
cd "$(dirname "$0")"
[ -d systemd ] || cd ..

PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}
if [ -z "${BUILT:-}" ]; then BUILT=target/release; [ ! -d built ] || BUILT=built; fi
FILES=${FILES:-$(cd "$BUILT" && ls tickerd libtickerd_feed_*.so tickerd-feed-* 2>/dev/null | grep -v '\.d$' || true)}
to=$DESTDIR$PREFIX
doc=$to/share/doc/tickerd
units=$to/lib/systemd/system
zsh=${ZSH_COMPLETIONS:-share/zsh/site-functions}

# What is read by those who install it, where the front page links to it.
docs="README.md CHANGELOG.md LICENSE daemon/PROTOCOL.md dashboards/README.md dashboards/python/README.md feeds/README.md
  plugins-sdk/README.md systemd/README.md systemd/codes.md systemd/tickerd.toml systemd/tickerd.socket
  systemd/nginx.conf.example systemd/haproxy.cfg.example systemd/cluster.md
  systemd/nats/server.conf systemd/nats/accounts.conf systemd/nats/tls.conf
  $(ls THIRD-PARTY.gz 2>/dev/null || true)
  $(find plugins-sdk/kinds dashboards/grafana dashboards/prometheus dashboards/examples -type f ! -name '*.pyc' ! -name .gitignore 2>/dev/null | sort)"

# Where each file of BUILT goes. Man pages and completions are there since the build (`make build`).
place() {
  case $1 in
    tickerd) echo "$to/bin/tickerd" ;;
    *.so | tickerd-feed-*) echo "$to/lib/tickerd/plugins/$1" ;;
    man/*) echo "$to/share/man/man1/${1#man/}" ;;
    completions/tickerd.bash) echo "$to/share/bash-completion/completions/tickerd" ;;
    completions/tickerd.zsh) echo "$to/$zsh/_tickerd" ;;
    completions/tickerd.fish) echo "$to/share/fish/vendor_completions.d/tickerd.fish" ;;
  esac
}
pages=$(cd "$BUILT" && ls man/*.1 completions/tickerd.* 2>/dev/null || true)

uninstall() {
  for file in $FILES $pages; do rm -f "$(place "$file")"; done
  rm -f "$to/include/tickerd.h" "$units/tickerd.service" "$units/tickerd.socket"
  rm -f "$to/lib/sysusers.d/tickerd.conf" "$to/lib/tmpfiles.d/tickerd.conf"
  for file in $docs; do rm -f "$doc/$file"; done
  [ ! -d "$doc" ] || find "$doc" -type d -empty -delete
  if [ -d "$to/lib/tickerd" ]; then find "$to/lib/tickerd" -type d -empty -delete; fi
  if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
  echo "what is yours stays: /etc/tickerd, /var/lib/tickerd, and plugins of your own"
}

# Group tickerd may read the configuration and the keys; others may not.
install_all() {
  for file in tickerd $FILES; do
    [ -e "$BUILT/$file" ] || { echo "there is no $BUILT/$file: run \"make build\" first, as yourself" >&2; exit 1; }
  done
  for file in $FILES $pages; do
    mode=644
    case $file in *.so) ;; tickerd | tickerd-feed-*) mode=755 ;; esac
    install -D -m $mode "$BUILT/$file" "$(place "$file")"
  done
  install -D -m 644 plugins-sdk/include/tickerd.h "$to/include/tickerd.h"
  for file in $docs; do install -D -m 644 "$file" "$doc/$file"; done
  install -D -m 644 systemd/tickerd.sysusers "$to/lib/sysusers.d/tickerd.conf"
  install -D -m 644 systemd/tickerd.tmpfiles "$to/lib/tmpfiles.d/tickerd.conf"
  install -d "$units"
  for unit in tickerd.service tickerd.socket; do
    sed -e "s|/usr/bin/tickerd|$PREFIX/bin/tickerd|" -e "s|/usr/share/doc|$PREFIX/share/doc|" "systemd/$unit" >"$units/$unit"
    chmod 644 "$units/$unit"
  done
  install -d -m 750 "$DESTDIR/etc/tickerd/secrets" "$DESTDIR/etc/tickerd/conf.d"
  config=$DESTDIR/etc/tickerd/tickerd.toml
  [ -e "$config" ] || install -D -m 640 systemd/tickerd.toml "$config"
  [ -z "$DESTDIR" ] || return 0
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers "$PREFIX/lib/sysusers.d/tickerd.conf"
    systemd-tmpfiles --create "$PREFIX/lib/tmpfiles.d/tickerd.conf"
  fi
  getent group tickerd >/dev/null || cat >&2 <<EOF
there is no group tickerd, so root alone may read /etc/tickerd: make user and group tickerd, then
  chgrp tickerd /etc/tickerd/tickerd.toml /etc/tickerd/conf.d /etc/tickerd/secrets
EOF
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
}

case ${1:-install} in
  install) install_all ;;
  uninstall) uninstall ;;
  *) echo "usage: install.sh [install|uninstall]; PREFIX=/usr/local DESTDIR=" >&2; exit 64 ;;
esac
