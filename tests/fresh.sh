#!/bin/sh
# fresh.sh - proves README's two commands where nothing is set up: sh tests/fresh.sh [PART...]
#
# debootstrap makes a bare Debian 12 with gcc, make, git and python3 and nothing more; a clean clone of HEAD
# goes inside, and there `sh example/demo.sh` and then `sh tests/run.sh PART...` run (without PARTs: all of
# it). Needs root or sudo. The mirror is the one this machine's apt uses. Processes and mounts in there end
# with it; the network is shared, since the two commands install packages, and both listen on free loopback
# ports only. Logs: build/fresh.
#
# KEEP=yes leaves the directory there and says where.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/support/packages.sh
. "$root/tests/support/packages.sh"
logs=$root/build/fresh
suite=bookworm
passed=0
failed=0

clean_up() {
  status=$?
  trap - EXIT INT TERM
  if [ "${KEEP:-no}" = yes ]; then
    echo "kept: $dir"
  else
    run_as_root rm -rf --one-file-system "$dir"
  fi
  exit "$status"
}

# "URI RELEASE" of each Debian repository of this suite that apt knows here.
repositories() {
  apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" "Identifier: Packages" "Origin: Debian" |
    awk -v suite="$suite" '$2 ~ "^" suite && $3 == "main" { print $1, $2 }' | sort -u
}

make_debian() {
  [ -n "$(repositories)" ] || run_as_root apt-get update -q
  mirror=$(repositories | awk -v suite="$suite" '$2 == suite { print $1; exit }')
  [ -n "$mirror" ] || { echo "fresh: apt on this machine knows no mirror of Debian $suite" >&2; return 1; }
  run_as_root debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    "$suite" "$dir/debian" "$mirror"
  repositories | sed 's/.*/deb & main/' | run_as_root tee "$dir/debian/etc/apt/sources.list"
  # How this machine reaches the mirror: proxies, and whether old lists are good enough.
  apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date|Retries)' |
    run_as_root tee "$dir/debian/etc/apt/apt.conf.d/80host" || true
  run_as_root cp -L /etc/resolv.conf /etc/hosts "$dir/debian/etc/"
  inside 'apt-get update -q && apt-get install -y -q --no-install-recommends gcc make git python3'
}

put_clone() {
  git clone -q --no-hardlinks "$root" "$dir/tws"
  run_as_root chown -R 0:0 "$dir/tws"
  run_as_root mv "$dir/tws" "$dir/debian/root/tws"
}

# inside COMMAND: in the bare Debian, with mounts and processes of its own and a clean environment.
inside() {
  # shellcheck disable=SC2016 # $1 is for the inner shell
  run_as_root unshare --mount --pid --fork --kill-child sh -eu -c '
    mount --bind "$1" "$1" # `ip -n` wants a root that is a mount
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
    exec chroot "$1" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive FUZZ_SECONDS="${FUZZ_SECONDS:-20}" \
      DEMO_SECONDS="${DEMO_SECONDS:-2}" JOBS="${JOBS:-$(nproc)}" \
      sh -c "$2"
  ' sh "$dir/debian" "$1" </dev/null
}

# step NAME COMMAND...: counts it and says how it ended.
step() {
  log=$logs/$1.log
  begin=$(date +%s)
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1)) verdict="ok  "
  else
    failed=$((failed + 1)) verdict=FAIL
  fi
  printf '%s  %4d s  %s\n' "$verdict" "$(($(date +%s) - begin))" "$log"
  [ "$verdict" = "ok  " ] || tail -n 40 "$log" | sed 's/^/    | /'
}

mkdir -p "$logs"
need_packages debootstrap debian-archive-keyring util-linux git
dir=$(mktemp -d "${TMPDIR:-/tmp}/tws-fresh.XXXXXX")
chmod 755 "$dir"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step debian make_debian
[ "$failed" -gt 0 ] || step clone put_clone
if [ "$failed" -eq 0 ]; then
  step demo inside "cd /root/tws && sh example/demo.sh"
  step run inside "cd /root/tws && sh tests/run.sh $*"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
