#!/usr/bin/env bash
# How the golden binaries of ABI 1.0 were made. Kept as a record: they are never made anew, for what is promised is that
# these very files go on working. Writes to the folder named, never here.
#
#   ./build.sh /tmp/golden
#
# Used: gcc 12.2.0 and binutils 2.40 (Debian 12, glibc 2.36); rustc 1.95.0; cargo-zigbuild and ziglang 0.17.1 from PyPI
# (pip install cargo-zigbuild ziglang), which link against the symbol versions of an older glibc.
# The C plugin needs GLIBC_2.2.5 at most and the Rust one, linked for the oldest glibc that rustc supports, GLIBC_2.14.
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath -m "${1:?name a folder to write to}")
mkdir -p "$out"

cc -std=c11 -pedantic -Wall -Wextra -Werror -Os -fPIC -shared -fvisibility=hidden -fno-stack-protector -ffile-prefix-map="$PWD"=. \
  -s -Wl,--build-id=none -o "$out/golden-c-x86_64.so" golden.c

# No path of the machine it was built on stays in the file.
export CARGO_TARGET_DIR="$out/target"
export RUSTFLAGS="--remap-path-prefix=$(realpath ../../..)=tickerd --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
cargo zigbuild --release --locked --manifest-path golden-rust/Cargo.toml --target x86_64-unknown-linux-gnu.2.17
cp "$out/target/x86_64-unknown-linux-gnu/release/libgolden_rust.so" "$out/golden-rust-x86_64.so"

chmod 644 "$out"/*.so
for file in "$out"/*.so; do
  newest=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
  echo "$(stat -c %s "$file") bytes, needs $newest: $file"
done
