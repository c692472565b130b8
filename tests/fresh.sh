#!/bin/sh
# fresh.sh - proves the two README commands on a bare Debian 12: debootstrap makes one below build/,
# from the mirror this machine uses, a clean clone goes in, and both run there in a chroot of its own
# mount, process and network namespace (loopback only, once the packages are in). Needs root.
#
# FRESH_RUN (all of them): the parts of tests/run.sh to run inside.
set -eu
cd "$(dirname "$0")/.."
. tests/support/packages.sh
need_packages debootstrap iproute2 util-linux git

suite=bookworm
root=$(pwd)/build/fresh
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(CREATED_BY)' 2>/dev/null |
  awk -v suite="$suite" '$2 == suite && $3 == "Packages" {print $1; exit}')
[ -n "$mirror" ] || { echo "fresh: apt knows no mirror of $suite"; exit 1; }

clean_up() {
  for place in proc sys dev/pts dev; do
    umount "$root/$place" 2>/dev/null || true
  done
}
trap clean_up EXIT
clean_up

inside() {
  unshare --mount --pid --fork --kill-child chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin FUZZ_SECONDS="${FUZZ_SECONDS:-5}" \
    DEMO_SECONDS="${DEMO_SECONDS:-2}" sh -ec "$1"
}

rm -rf "$root"
debootstrap --variant=minbase "$suite" "$root" "$mirror"
# What the machine needs to reach its mirror (proxy, certificates, name server) goes along.
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --bind /dev "$root/dev"
mount -t devpts devpts "$root/dev/pts"
git clone -q . "$root/tws"

inside "cd /tws && sh example/demo.sh"
inside "cd /tws && sh tests/run.sh ${FRESH_RUN:-}"
