#!/bin/sh
# static.sh - builds the static binary from Debian's source packages, or from archives fetched before,
# tries it in a root that holds nothing else (tests/package/static.py), and takes it through a part of
# the end-to-end tests. As root or with sudo.
#
# SOURCES (debian): where build-static.sh takes the libraries from.
set -eu
cd "$(dirname "$0")/.."
. tests/support/packages.sh

need_packages python3 openssl nginx iproute2 file curl netcat-openbsd
SOURCES=${SOURCES:-debian} sh build-static.sh
binary=$(ls -t dist/tws-static-*-"$(uname -m)" | head -n 1)
run_as_root python3 tests/package/static.py "$binary"
python3 tests/e2e/run.py --tws "$binary" Certificates HalfClose Streams.test_many
