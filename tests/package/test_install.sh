#!/bin/sh
# test_install.sh BUILD - `cmake --install` lays down all there is, and the units name the program there.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cmake --install "$1" --prefix "$dir" >/dev/null
for file in bin/tws share/man/man1/tws.1 share/man/man5/tws.yaml.5 share/doc/tws/examples/nginx.conf \
  share/doc/tws/examples/server.yaml share/doc/tws/examples/client.yaml share/doc/tws/examples/keys.yaml \
  share/doc/tws/examples/tws-client@.socket share/bash-completion/completions/tws \
  share/doc/tws/examples/client-tun.yaml share/doc/tws/tun.md share/doc/tws/egress.md \
  lib/systemd/system/tws-server@.service lib/systemd/system/tws-client@.service; do
  [ -s "$dir/$file" ] || { echo "not installed: $file"; exit 1; }
done
"$dir/bin/tws" --version
for side in server client; do
  grep -q "^ExecStart=$dir/bin/tws $side " "$dir/lib/systemd/system/tws-$side@.service"
done
grep -q "^ExecStopPost=-$dir/bin/tws cleanup" "$dir/share/doc/tws/examples/tws-client-net-admin.conf"
