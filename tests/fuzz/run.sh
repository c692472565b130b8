#!/bin/sh
# run.sh BUILD SECONDS JOBS - runs every fuzz target of a TWS_FUZZ build for SECONDS, JOBS at once; what only
# some configurations read, for half of them. New inputs stay in the build tree; a crash leaves its input
# there and its name in the output.
set -u
build=$1 seconds=$2 jobs=$3
here=$(cd "$(dirname "$0")" && pwd)
core=" addr frame handshake session session_raw ws yaml "
mkdir -p "$build/fuzzing"

# one TARGET SECONDS: the first folder is the one libFuzzer writes to.
one() {
  module=${1##*/fuzz_}
  work=$build/fuzzing/$module
  mkdir -p "$work"
  ASAN_OPTIONS=detect_leaks=1 "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$work-" "$work" "$here/corpus/$module" >"$work.log" 2>&1
  echo "$? $module" >>"$build/fuzzing/results"
}

# all SECONDS: those on standard input, JOBS at once.
all() {
  running=0
  while read -r target; do
    one "$target" "$1" &
    running=$((running + 1))
    [ $((running % jobs)) -ne 0 ] || wait
  done
  wait
}

# targets yes|no: those of the core, or the others.
targets() {
  for target in "$build"/tests/fuzz/fuzz_*; do
    case $core in
    *" ${target##*/fuzz_} "*) in_core=yes ;;
    *) in_core=no ;;
    esac
    [ "$in_core" != "$1" ] || [ ! -x "$target" ] || echo "$target"
  done
}

: >"$build/fuzzing/results"
targets yes | all "$seconds"
targets no | all $(((seconds + 1) / 2))

ok=0 bad=0
while read -r status module; do
  printf '%s: ' "$module"
  grep -E 'number_of_executed_units|^Done ' "$build/fuzzing/$module.log" | tr '\n' ' '
  echo
  if [ "$status" -eq 0 ]; then
    ok=$((ok + 1))
  else
    bad=$((bad + 1))
    echo "fuzz_$module failed with $status:"
    grep -vE '^#[0-9]+' "$build/fuzzing/$module.log" | tail -n 40
  fi
done <"$build/fuzzing/results"
[ $((ok + bad)) -gt 0 ] || { echo "no fuzz target in $build"; bad=1; }
echo "$ok passed, $bad failed"
[ "$bad" -eq 0 ]
