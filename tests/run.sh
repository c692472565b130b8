#!/bin/sh
# run.sh - the whole test suite: sh tests/run.sh [PART...]
#
# Installs what the tests need, builds, runs everything and ends with one line "N passed, N failed".
# Each step's full output is in build/logs. PARTs, in the order of a full run:
#
#   install   Debian packages that are missing, as root or with sudo
#   release   gcc, optimised, with its unit tests, simulator and corpus replays
#   clang     clang, optimised, no warning allowed: the same tests
#   lint      format, static analysis, layers, symbols, sizes, banned functions, documentation links
#   asan      gcc with ASan and UBSan: the same tests
#   fuzz      clang with ASan and UBSan: corpus replays (FUZZ_TESTS= for the same tests), then each fuzz
#             target for FUZZ_SECONDS (16)
#   msan      clang with MSan: corpus replays and simulator
#   coverage  lines of proto and mux reached by units and corpora: at least 90%
#   mutants   faults put into the code that a test must notice (a sample; MUTANTS=all for all)
#   model     Spin: the model of the session protocol in docs/model, and every rule left out once
#   e2e       the real programs, with nginx, curl, ssh, redis, PostgreSQL
#   e2e-asan  a part of that with the sanitized binary
#   package   cmake --install, .deb, systemd units, manual pages
#   demo      example/demo.sh
#   static    only when named: build-static.sh, and what it makes in an empty root
#   systemd   only when named: tests/systemd.sh, the package's units under a systemd that is booted for it
#   long      only when named: see tests/long.sh
#
# Settings (environment): JOBS, FUZZ_SECONDS, FUZZ_TESTS, MUTANTS, MODEL, E2E_MIB, E2E_ASAN (words; empty: all).
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
. tests/support/packages.sh

jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
logs=$root/build/logs
passed=0
failed=0
failures=
started=$(date +%s)

# count LOG STATUS: adds a step to the totals: test by test if its log counts them, else as one.
count() {
  ctest=$(sed -n 's/.*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$1" | tail -n 1)
  plain=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*$/\1 \2/p' "$1" | tail -n 1)
  if [ -n "$ctest" ]; then
    ok=$((${ctest#* } - ${ctest% *})) bad=${ctest% *}
  elif [ -n "$plain" ]; then
    ok=${plain% *} bad=${plain#* }
  else
    ok=$(($2 == 0)) bad=$(($2 != 0))
  fi
  [ "$2" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
  passed=$((passed + ok))
  failed=$((failed + bad))
}

# step NAME COMMAND...: runs it with its output in a log; says how long it took, and how it failed.
step() {
  name=$1
  shift
  log=$logs/$(echo "$name" | tr ' /' '--').log
  begin=$(date +%s)
  "$@" >"$log" 2>&1 </dev/null
  status=$?
  seconds=$(($(date +%s) - begin))
  count "$log" "$status"
  if [ "$status" -eq 0 ]; then
    printf 'ok    %4d s  %s (%d passed)\n' "$seconds" "$name" "$ok"
    return 0
  fi
  printf 'FAIL  %4d s  %s (%d passed, %d failed), from %s:\n' "$seconds" "$name" "$ok" "$bad" "$log"
  names=$(failed_tests "$log")
  [ -z "$names" ] || echo "$names"
  reasons "$log" | sed 's/^/    | /'
  failures="$failures
  $name
$names"
  return 1
}

# failed_tests LOG: the names of what failed, as unittest and ctest write them.
failed_tests() {
  sed -n 's/^\(FAIL\|ERROR\): /    /p; s/^[[:space:]]*[0-9]* - \(.* (\(Failed\|Timeout\|SEGFAULT\)\)/    \1/p' "$1" |
    awk '!seen[$0]++' | cut -c 1-240 | head -n 20
}

# reasons LOG: what the failed tests said, or where the log ends; few lines, since a report may be cut itself.
reasons() {
  said=$(awk -f tests/support/failures.awk "$1")
  if [ -n "$said" ]; then
    echo "$said"
  else
    tail -n 20 "$1" | cut -c 1-240
  fi
}

build() {
  step "build $1" sh -c "cmake --preset $1 && cmake --build --preset $1 -j $jobs"
}

check() {
  step "ctest $1" ctest --preset "$1" -j "$jobs"
}

part_install() {
  step "install packages" need_packages $build_packages git python3 check clang clang-format clang-tidy \
    libclang-rt-14-dev llvm cppcheck shellcheck pyflakes3 dpkg-dev fakeroot file procps spin systemd nginx openssl \
    ca-certificates curl iperf3 netcat-openbsd iproute2 openssh-server openssh-client haproxy libnginx-mod-stream \
    redis-server redis-tools postgresql microsocks tinyproxy nftables \
    dnsmasq-base bind9-dnsutils dnsutils chromium iputils-ping tcpdump || summary
}

part_release() {
  build release && check release
}

part_asan() {
  build asan && check asan
}

part_clang() {
  build clang && check clang
}

part_lint() {
  build clang || return 1
  for lint in tests/lint/check_*; do
    step "lint $(basename "$lint")" "$lint" build/clang
  done
}

part_fuzz() {
  # shellcheck disable=SC2086 # a label, or nothing
  build fuzz && step "ctest fuzz" ctest --preset fuzz -j "$jobs" ${FUZZ_TESTS--L replay} &&
    step "fuzz ${FUZZ_SECONDS:-16} s each" tests/fuzz/run.sh build/fuzz "${FUZZ_SECONDS:-16}" "$jobs"
}

part_msan() {
  build msan && check msan
}

# Without the simulator, which takes minutes when every line is counted, and without the layers above.
part_coverage() {
  build coverage && step "ctest coverage" ctest --preset coverage -j "$jobs" -LE sim -E '^unit/(app|net|ws|tunnel)/' &&
    step "coverage of proto and mux" python3 tests/support/coverage.py build/coverage 90 src/proto src/mux
}

part_mutants() {
  step "mutants ${MUTANTS:-sample}" tests/mutants/run.sh "${MUTANTS:-sample}"
}

part_model() {
  # shellcheck disable=SC2086 # nothing, or --long
  step "model ${MODEL:-}" sh tests/model.sh ${MODEL:-}
}

part_e2e() {
  [ -x build/release/tws ] || build release || return 1
  step "e2e" python3 tests/e2e/run.py --tws build/release/tws --jobs "$jobs"
}

# What strangers and programs can send to each way in and out; long.sh runs all of it.
asan_words="test_messages test_security test_streams test_links test_proxies test_reverse test_udp test_egress
  test_entrances test_tun test_hostile"

part_e2e_asan() {
  [ -x build/asan/tws ] || build asan || return 1
  # shellcheck disable=SC2086 # words, or none for all
  step "e2e with ASan and UBSan" python3 tests/e2e/run.py --tws build/asan/tws --sanitized \
    --jobs "$jobs" ${E2E_ASAN-$asan_words}
}

part_package() {
  [ -x build/release/tws ] || build release || return 1
  for test in tests/package/test_*.sh; do
    step "package $(basename "$test" .sh)" sh "$test" build/release
  done
}

part_demo() {
  step "demo" env DEMO_SECONDS="${DEMO_SECONDS:-2}" sh example/demo.sh
}

part_static() {
  step "static binary" sh tests/static.sh
}

part_systemd() {
  [ -x build/release/tws ] || build release || return 1
  step "units under systemd" sh tests/systemd.sh
}

part_long() {
  step "fresh Debian" sh tests/fresh.sh
  step "bench" sh tests/bench/compare.sh
}

summary() {
  echo
  [ -z "$failures" ] || printf 'failed:%s\n\n' "$failures"
  echo "$(($(date +%s) - started)) s altogether; logs in $logs"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

[ $# -gt 0 ] || set -- install release clang lint asan fuzz msan coverage mutants model e2e e2e-asan package demo
mkdir -p "$logs" || exit 1
for part; do
  function=part_$(echo "$part" | tr - _)
  if ! command -v "$function" >/dev/null; then
    sed -n '2,/^set -u/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
    echo "$0: there is no part called $part" >&2
    exit 2
  fi
done
for part; do
  "part_$(echo "$part" | tr - _)"
done
summary
