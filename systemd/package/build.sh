#!/usr/bin/env bash
# Makes the Debian package, that of its symbols, and the archive, of what was built: `make package`. The files and their places
# are those of `systemd/install.sh`. The same build and SOURCE_DATE_EPOCH give the same bytes.
#   BUILT=target/release   what was built
#   OUT=target/package     where the two come
#   VERSION=               the package's version
#   LEVEL=6                how hard the packages are compressed: 0 is quick, for tests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BUILT=$(realpath "${BUILT:-target/release}")
mkdir -p "${OUT:-target/package}"
OUT=$(realpath "${OUT:-target/package}")
# So that `apt install ./target/package/tickerd_*.deb` names one.
rm -f "$OUT"/tickerd_*.deb "$OUT"/tickerd-*.deb "$OUT"/tickerd-*.tar.gz
export BUILT LC_ALL=C TZ=UTC
for tool in dpkg-deb dpkg-shlibdeps objcopy python3; do
  command -v $tool >/dev/null || { echo "package: $tool is missing: install dpkg-dev, binutils and python3" >&2; exit 1; }
done

# The time of everything in it: the commit's.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
# Between releases the version holds the commit and its time, and is older than the release to come.
if [ -z "${VERSION:-}" ]; then
  VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
  git describe --exact-match --match "v$VERSION" >/dev/null 2>&1 ||
    VERSION="$VERSION~git$(date --date="@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).${TICKERD_COMMIT:-$(git rev-parse --short=12 HEAD)}"
fi
arch=$(dpkg --print-architecture)
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
umask 022
# Every file of the folder is of that time and root's; then it is packed with names in order.
pack() { # pack FOLDER ARCHIVE
  tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu \
    --directory="$work" "$1" | gzip --no-name >"$2"
}

systemd/package/pages.sh "$BUILT"

# --- the Debian package ---
tree=$work/tree
DESTDIR=$tree PREFIX=/usr ZSH_COMPLETIONS=share/zsh/vendor-completions systemd/install.sh
doc=$tree/usr/share/doc/tickerd
# Functions' names are a third of a program. Those who look for a crash install them beside it: a backtrace finds them by the
# program's build ID.
symbols=$work/symbols
for file in "$tree"/usr/bin/tickerd "$tree"/usr/lib/tickerd/plugins/*; do
  id=$(readelf --notes "$file" | sed -n 's/.*Build ID: //p')
  [ -n "$id" ] || { echo "package: $file has no build ID: link it with --build-id" >&2; exit 1; }
  kept=$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
  mkdir -p "$(dirname "$kept")"
  objcopy --only-keep-debug --compress-debug-sections "$file" "$kept"
  chmod 644 "$kept"
  strip --strip-unneeded "$file"
done
# Debian's own places for these two.
rm "$doc/LICENSE"
cp systemd/package/copyright "$doc/copyright"
python3 systemd/package/notices.py | gzip --best --no-name >"$doc/THIRD-PARTY.gz"
printf 'tickerd (%s) unstable; urgency=medium\n\n  * What is new is in CHANGELOG.md in this folder.\n\n -- %s  %s\n' \
  "$VERSION" "$(sed -n 's/^Maintainer: //p' systemd/package/control)" "$(date --date="@$SOURCE_DATE_EPOCH" --rfc-email)" |
  gzip --best --no-name >"$doc/changelog.gz"
if [ -d "$tree/usr/share/man" ]; then gzip --best --no-name "$tree"/usr/share/man/man1/*.1; fi
install -D -m 644 systemd/package/lintian-overrides "$tree/usr/share/lintian/overrides/tickerd"

control=$tree/DEBIAN
mkdir "$control"
install -m 755 systemd/package/{postinst,prerm,postrm} "$control"
echo /etc/tickerd/tickerd.toml >"$control/conffiles"
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
# Which C library it takes is read from the programs; dpkg-shlibdeps wants a debian/control for that.
mkdir -p "$work/debian"
printf 'Source: tickerd\n\nPackage: tickerd\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info tree/usr/bin/tickerd tree/usr/lib/tickerd/plugins/* 2>/dev/null | sed 's/^shlibs:Depends=//')
[ -n "$libraries" ] || { echo "package: dpkg-shlibdeps found no library that the programs need" >&2; exit 1; }
installed() { du --summarize --block-size=1024 --apparent-size "$1/usr" | cut -f 1; }
sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$(installed "$tree")/" -e "s/@LIBRARIES@/$libraries/" \
  systemd/package/control >"$control/control"
mkdir "$symbols/DEBIAN"
install -d "$symbols/usr/share/doc"
ln -s tickerd "$symbols/usr/share/doc/tickerd-dbgsym"
cat >"$symbols/DEBIAN/control" <<EOF
Package: tickerd-dbgsym
Version: $VERSION
Architecture: $arch
$(grep '^Maintainer: ' systemd/package/control)
Installed-Size: $(installed "$symbols")
Depends: tickerd (= $VERSION)
Section: debug
Priority: optional
Description: names of tickerd's functions, for backtraces
EOF
debs=()
for name in tree symbols; do
  package=tickerd
  [ $name = tree ] || package=tickerd-dbgsym
  find "$work/$name" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  debs+=("$OUT/${package}_${VERSION}_$arch.deb")
  dpkg-deb --root-owner-group -Zxz -z"${LEVEL:-6}" --build "$work/$name" "${debs[-1]}" >/dev/null
done

# --- the archive: what install.sh needs, in the folders that it knows ---
name=tickerd-$VERSION-$(uname -m)-linux
top=$work/$name
mkdir -p "$top/built"
cp systemd/install.sh "$top/"
(cd "$tree" && find usr/bin usr/lib/tickerd -type f -exec cp {} "$top/built/" \;)
for pages in man completions; do if [ -d "$BUILT/$pages" ]; then cp -r "$BUILT/$pages" "$top/built/"; fi; done
(cd "$doc" && find . -type f ! -name changelog.gz ! -name copyright -exec cp --parents {} "$top/" \;)
cp LICENSE "$top/"
mkdir -p "$top/plugins-sdk/include"
cp plugins-sdk/include/tickerd.h "$top/plugins-sdk/include/"
cp systemd/tickerd.{service,socket,sysusers,tmpfiles,toml} "$top/systemd/"
chmod -R u=rwX,go=rX "$top"
pack "$name" "$OUT/$name.tar.gz"

ls -sh1 "${debs[@]}" "$OUT/$name.tar.gz"
