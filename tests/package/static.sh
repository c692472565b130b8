#!/bin/sh
# static.sh - builds the static binary, and proves that it needs nothing: in a chroot with only itself,
# a resolv.conf and a CA file it says its version and reads a configuration; and as the client of the
# end-to-end suite it goes through nginx and TLS. Needs root. Minutes, the first time.
set -eu
cd "$(dirname "$0")/../.."
sh build-static.sh
static=$(pwd)/dist/tws-static
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

if ldd "$static" 2>/dev/null | grep -q '=>'; then
  echo "it needs shared libraries:"
  ldd "$static"
  exit 1
fi
mkdir -p "$dir/etc/ssl/certs"
cp "$static" "$dir/tws"
cp /etc/resolv.conf "$dir/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
printf 'server: wss://example.com/tws\npasswd: a passphrase long enough\nlisten: 127.0.0.1:1\nremote: 127.0.0.1:2\n' >"$dir/client.yaml"
chmod 600 "$dir/client.yaml"
chroot "$dir" /tws --version
chroot "$dir" /tws check /client.yaml
python3 tests/e2e/run.py --tws "$static" Certificates Programs Streams.test_many HalfClose
