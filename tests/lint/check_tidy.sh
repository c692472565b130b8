#!/bin/sh
# check_tidy.sh BUILD [ROOT] - clang-tidy over the shipped C files, as many at a time as there are cores;
# with TIDY=all over the tests too.
set -eu
build=$(cd "$1" && pwd)
cd "${2:-$(dirname "$0")/../..}"
root=$(pwd)
found=$(mktemp)
trap 'rm -f "$found"' EXIT

status=0
sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | sort -u | grep "^$root/$([ "${TIDY:-}" = all ] || echo src/)" |
  xargs -r -n 4 -P "$(nproc)" clang-tidy --quiet -p "$build" >"$found" 2>&1 || status=$?
grep -v 'warnings\{0,1\} generated' "$found" || true
exit "$status"
