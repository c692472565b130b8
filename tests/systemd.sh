#!/bin/sh
# systemd.sh - the package's units under a real systemd: sh tests/systemd.sh [WORD...]
#
# Boots a bare Debian 12 (debootstrap) with the .deb of build/release in it, as a container with processes,
# network, mounts and control groups of its own, and runs tests/package/booted.py against it (with WORDs:
# only tests whose name has one). Needs root or sudo, and cgroup2. Logs: build/systemd.
#
# KEEP=yes leaves the directory there and says where. BASE=DIRECTORY: the debian/ of such a one; a copy is booted.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/support/packages.sh
. "$root/tests/support/packages.sh"
# shellcheck source=tests/support/debian.sh
. "$root/tests/support/debian.sh"
logs=$root/build/systemd

# What the tests need in there beside the package and what it depends on.
fill() {
  make_debian "$dir/debian"
  inside "$dir/debian" 'apt-get update -q && apt-get install -y -q --no-install-recommends systemd iproute2 nftables'
}

quietly() {
  log=$logs/$1.log
  shift
  "$@" >"$log" 2>&1 || { echo "FAIL $log"; tail -n 40 "$log" | sed 's/^/    | /'; exit 1; }
}

package() {
  (cd "$root/build/release" && cpack -G DEB -B "$dir/deb")
  run_as_root cp "$dir"/deb/tws_*.deb "$dir/debian/root/tws.deb"
  # Both at once: systemd-resolved makes /etc/resolv.conf its own, and nobody in there answers before it is booted.
  inside "$dir/debian" 'apt-get install -y -q --reinstall --no-install-recommends /root/tws.deb systemd-resolved'
}

mkdir -p "$logs"
need_packages debootstrap debian-archive-keyring util-linux iproute2 python3 dpkg-dev file
[ -x "$root/build/release/tws" ] || { echo "$0: first build it: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/tws-systemd.XXXXXX")
chmod 755 "$dir"
trap 'leave "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -n "${BASE-}" ]; then
  quietly debian run_as_root cp -a "$BASE" "$dir/debian"
else
  quietly debian fill
fi
quietly package package
run_as_root python3 "$root/tests/package/booted.py" "$dir/debian" "$@"
