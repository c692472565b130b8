#!/bin/sh
# test_deb.sh BUILD - the Debian package: what is in it, what it depends on, and that dpkg installs and
# removes it (in a root of its own).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

(cd "$1" && cpack -G DEB -B "$dir" >"$dir/cpack.log" 2>&1) || { cat "$dir/cpack.log"; exit 1; }
set -- "$dir"/tws_*.deb
deb=$1
[ -f "$deb" ] || { echo "cpack made no package"; exit 1; }

dpkg-deb --info "$deb" >"$dir/info"
dpkg-deb --contents "$deb" >"$dir/contents"
for package in libc6 libwebsockets17 libwebsockets-evlib-uv libuv1 libssl3 libyaml-0-2 ca-certificates; do
  grep -q "Depends:.*$package" "$dir/info" || { echo "does not depend on $package:"; cat "$dir/info"; exit 1; }
done
for file in usr/bin/tws usr/share/man/man1/tws.1 usr/lib/systemd/system/tws-server@.service; do
  grep -q " \./$file" "$dir/contents" || { echo "does not contain $file:"; cat "$dir/contents"; exit 1; }
done
if grep -v ' root/root ' "$dir/contents"; then
  echo "these do not belong to root"
  exit 1
fi

root=$dir/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
admin="fakeroot dpkg --root=$root --force-depends --force-not-root --force-script-chrootless --log=$dir/dpkg.log"
$admin -i "$deb" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
"$root/usr/bin/tws" --version
grep -q "^ExecStart=/usr/bin/tws server " "$root/usr/lib/systemd/system/tws-server@.service"
$admin -r tws >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
[ ! -e "$root/usr/bin/tws" ] || { echo "still there after removal"; exit 1; }
