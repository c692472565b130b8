#!/bin/sh
# ways.sh [BENCH...] - the ways in and out beside the tools that do one of them: socks, transparent, spoof,
# udp, flood, tun; all of them if none is named. Prints each figure beside what is asked, and JSON lines.
# BENCH_ROUNDS (3). Needs root, for network namespaces.
set -eu
cd "$(dirname "$0")/../.."
. tests/support/packages.sh
need_packages $build_packages python3 check nginx haproxy iperf3 openssh-server openssh-client microsocks dante-server \
  sshuttle nftables iproute2 iptables
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target tws bench_load bench_udp uplink_wire >/dev/null
exec python3 tests/bench/ways.py --rounds "${BENCH_ROUNDS:-3}" "$@"
