#!/bin/sh
# The man pages and completions of what was built, in the folders man/ and completions/ beside it: pages.sh target/release
set -eu
cd "$1"
rm -rf man completions
mkdir man completions
./tickerd man man
for shell in bash zsh fish; do ./tickerd completions $shell >completions/tickerd.$shell; done
