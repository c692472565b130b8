#!/bin/sh
# test_units.sh BUILD - systemd accepts the units without a word, and finds them hardened: 1.5 or less.
set -eu
cd "$(dirname "$0")/../.."
tws=$(cd "$1" && pwd)/tws
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for side in server client; do
  unit=$dir/tws-$side@instance.service
  sed "s,/usr/bin/tws,$tws," "systemd/tws-$side@.service" >"$unit"
  said=$(systemd-analyze verify --man=no "$unit" 2>&1) || { echo "tws-$side: $said"; exit 1; }
  [ -z "$said" ] || { echo "tws-$side: $said"; exit 1; }
  systemd-analyze security --offline=true --no-pager --threshold=15 "$unit" >"$dir/out" || {
    grep -E 'Overall|✗' "$dir/out"
    exit 1
  }
  grep Overall "$dir/out"
done
