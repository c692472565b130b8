#!/bin/sh
# test_plugin.sh BUILD - where libwebsockets' plugin for libuv is missing, tws names it and ends with 1.
# As root or with sudo: the plugin is hidden in a mount namespace.
set -eu
cd "$(dirname "$0")/../.."
. tests/support/packages.sh
tws=$(cd "$1" && pwd)/tws
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

plugin=$(dpkg -L libwebsockets-evlib-uv | grep '\.so$')
printf 'listen: 127.0.0.1:1\npasswd: of no importance\n' >"$dir/server.yaml"
chmod 600 "$dir/server.yaml"
status=0
# shellcheck disable=SC2016 # for the inner shell
run_as_root unshare --mount sh -c 'mount --bind /dev/null "$1" && exec timeout 10 "$2" server --config "$3"' \
  sh "$plugin" "$tws" "$dir/server.yaml" >"$dir/out" 2>&1 || status=$?
if [ "$status" -ne 1 ] || ! grep -q 'libwebsockets does not start.*evlib_uv' "$dir/out"; then
  echo "ended with $status and said:"
  cat "$dir/out"
  exit 1
fi
