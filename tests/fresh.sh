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
# shellcheck source=tests/support/debian.sh
. "$root/tests/support/debian.sh"
logs=$root/build/fresh
passed=0
failed=0

prepare_debian() {
  make_debian "$dir/debian" &&
    inside "$dir/debian" 'apt-get update -q && apt-get install -y -q --no-install-recommends gcc make git python3'
}

put_clone() {
  git clone -q --no-hardlinks "$root" "$dir/tws"
  run_as_root chown -R 0:0 "$dir/tws"
  run_as_root mv "$dir/tws" "$dir/debian/root/tws"
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
trap 'leave "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step debian prepare_debian
[ "$failed" -gt 0 ] || step clone put_clone
if [ "$failed" -eq 0 ]; then
  step demo inside "$dir/debian" "cd /root/tws && sh example/demo.sh"
  step run inside "$dir/debian" "cd /root/tws && sh tests/run.sh $*"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
