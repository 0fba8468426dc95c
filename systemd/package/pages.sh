#!/bin/sh
# The man pages and completions of what was built, in the folders man/ and completions/ beside it: pages.sh target/release
set -eu
cd "$1"
./tickerd man --help >/dev/null 2>&1 || exit 0
rm -rf man completions
mkdir man completions
./tickerd man man
for shell in bash zsh fish; do ./tickerd completions $shell >completions/tickerd.$shell; done
