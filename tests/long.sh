#!/bin/sh
# long.sh - everything of run.sh, longer, and what does not fit there: hours of fuzzing if asked for
# (FUZZ_SECONDS, 600 each by default), every mutant, 1 GiB both ways, a bare Debian, its systemd, the static
# binary, the full benchmark.
set -eu
cd "$(dirname "$0")/.."
export TWS_TEST_ALL=1 TIDY=all E2E_ASAN="${E2E_ASAN-}" FUZZ_TESTS="${FUZZ_TESTS-}" FUZZ_SECONDS="${FUZZ_SECONDS:-600}" MUTANTS="${MUTANTS:-all}" MODEL="${MODEL:---long}" E2E_MIB="${E2E_MIB:-1024}" DEMO_SECONDS="${DEMO_SECONDS:-10}"
exec sh tests/run.sh install release clang lint asan fuzz msan coverage mutants model e2e e2e-asan package demo static systemd long
