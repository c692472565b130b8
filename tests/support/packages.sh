# shellcheck shell=sh disable=SC2034
#
# packages.sh - sourced by the scripts that set a machine up: installs Debian packages when they are
# missing, as root or with sudo, and never starts the services that come with them.

# run_as_root COMMAND...: as it is for root, through sudo for everyone else.
run_as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    echo "$0: '$*' needs root or sudo" >&2
    return 1
  fi
}

# missing_packages NAME...: prints those that are not installed.
missing_packages() {
  for package; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || printf '%s ' "$package"
  done
}

# A nginx or PostgreSQL that starts on its usual port as a side effect would be rude on somebody's
# machine; policy-rc.d is Debian's way to say so, and we only lay down our own if there is none.
install_quietly() {
  policy=/usr/sbin/policy-rc.d
  ours=no
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | run_as_root tee "$policy" >/dev/null || return 1
    run_as_root chmod 755 "$policy"
  fi
  run_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
  installed=$?
  [ "$ours" = no ] || run_as_root rm -f "$policy"
  return "$installed"
}

# need_packages NAME...: does nothing when all are there, so that it also works without a network.
need_packages() {
  lacking=$(missing_packages "$@")
  [ -n "$lacking" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "$0: install these packages (their names here are Debian's): $lacking" >&2
    return 1
  fi
  echo "installing: $lacking"
  run_as_root apt-get update -q || return 1
  # shellcheck disable=SC2086 # one word for each package
  install_quietly $lacking
}

build_packages="gcc make cmake pkg-config libc6-dev libwebsockets-dev libwebsockets-evlib-uv libuv1-dev
  libssl-dev libyaml-dev"
