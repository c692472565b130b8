#!/bin/sh
# test_units.sh BUILD - systemd accepts the units without a word, and finds them hardened: 1.5 or less.
set -eu
cd "$(dirname "$0")/../.."
tws=$(cd "$1" && pwd)/tws
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# With the one capability that some kinds of forwards need.
mkdir "$dir/tws-client@instance.service.d"
cp example/tws-client-net-admin.conf "$dir/tws-client@instance.service.d/net-admin.conf"
sed "s,/usr/bin/tws,$tws," "systemd/tws-client@.service" >"$dir/tws-client@instance.service"
sed -i "s,/usr/bin/tws,$tws," "$dir/tws-client@instance.service.d/net-admin.conf"
said=$(systemd-analyze verify --man=no "$dir/tws-client@instance.service" 2>&1) || { echo "net-admin: $said"; exit 1; }
[ -z "$said" ] || { echo "net-admin: $said"; exit 1; }
rm -r "$dir/tws-client@instance.service.d"

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
  # The example of a socket that starts it.
  cp "systemd/tws-$side@.socket" "$dir/tws-$side@instance.socket"
  said=$(systemd-analyze verify --man=no "$dir/tws-$side@instance.socket" 2>&1) || { echo "tws-$side.socket: $said"; exit 1; }
  [ -z "$said" ] || { echo "tws-$side.socket: $said"; exit 1; }
done
