#!/bin/sh
# compare.sh [CONTESTANT...] - tws beside plain relays and other tunnels, on this machine, interleaved:
# throughput, requests, new connections, latency, CPU and memory. Prints medians and ratios; every
# figure goes to build/bench/results.jsonl.
#
# BENCH_ROUNDS (3), BENCH_SECONDS (3) for each measurement. Contestants that are not installed are
# left out and named.
set -eu
cd "$(dirname "$0")/../.."
. tests/support/packages.sh
need_packages $build_packages python3 check nginx libnginx-mod-stream haproxy iperf3 wrk openssh-server openssh-client \
  openssl iproute2 ca-certificates
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target tws bench_load >/dev/null
exec python3 tests/bench/compare.py "$@"
