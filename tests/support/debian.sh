# shellcheck shell=sh
#
# debian.sh - sourced by the scripts that want a bare Debian 12 (fresh.sh, systemd.sh), behind packages.sh.

suite=bookworm

# "URI RELEASE" of each Debian repository of this suite that apt knows here.
repositories() {
  apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" "Identifier: Packages" "Origin: Debian" |
    awk -v suite="$suite" '$2 ~ "^" suite && $3 == "main" { print $1, $2 }' | sort -u
}

# make_debian DIRECTORY: in there, from the mirror that this machine's apt uses, with apt ready for use.
make_debian() {
  [ -n "$(repositories)" ] || run_as_root apt-get update -q
  mirror=$(repositories | awk -v suite="$suite" '$2 == suite { print $1; exit }')
  [ -n "$mirror" ] || { echo "$0: apt on this machine knows no mirror of Debian $suite" >&2; return 1; }
  run_as_root debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    "$suite" "$1" "$mirror" || return 1
  repositories | sed 's/.*/deb & main/' | run_as_root tee "$1/etc/apt/sources.list"
  # How this machine reaches the mirror: proxies, and whether old lists are good enough.
  apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date|Retries)' |
    run_as_root tee "$1/etc/apt/apt.conf.d/80host" || true
  run_as_root cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
}

# inside DIRECTORY COMMAND: in that Debian, with mounts and processes of its own and a clean environment.
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
  ' sh "$1" "$2" </dev/null
}

# leave DIRECTORY: for a script's EXIT: removes it, or with KEEP=yes says where it is; ends with the script's status.
leave() {
  status=$?
  trap - EXIT INT TERM
  if [ "${KEEP:-no}" = yes ]; then
    echo "kept: $1"
  else
    run_as_root rm -rf --one-file-system "$1"
  fi
  exit "$status"
}
