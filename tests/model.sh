#!/bin/sh
# model.sh - checks the model of the session protocol: sh tests/model.sh [--long]
#
# docs/model/session.pml is explored exhaustively in several sizes: no assertion may fail, nothing
# may get stuck, and where two links may die every statement must be reached. Then one rule after
# the other is left out, and Spin must find what breaks. Ends with "N passed, N failed".
#
# It takes one core, and 4 GB at most (--long: 6 GB); SPIN_DIR keeps what Spin leaves behind.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
model=$root/docs/model/session.pml
long=${1:-}
memory=4000
[ "$long" = --long ] && memory=6000
passed=0
failed=0

. "$root/tests/support/packages.sh"
need_packages spin gcc || exit 1

dir=${SPIN_DIR:-$(mktemp -d)}
mkdir -p "$dir" && cd "$dir" || exit 1
[ -n "${SPIN_DIR:-}" ] || trap 'rm -rf "$dir"' EXIT INT TERM

# verify DEFINES...: leaves the verifier's report in `out`.
verify() {
  rm -f pan out ./*.trail
  spin -a "$@" "$model" >out 2>&1 &&
    gcc -O2 -w -DSAFETY -DNOREDUCE -DMEMLIM=$memory ${COMPRESS:-} -o pan pan.c >>out 2>&1 &&
    ./pan -m20000 -w24 >>out 2>&1
}

# The processes of the model never end, so their ends are not reached; all else must be.
unreached() {
  sed -n '/^unreached in/,$p' out | grep '\.pml:' | grep -v '"-end-"'
}

# verdict NAME TEXT STATUS
verdict() {
  if [ "$3" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok    $1: $2"
  else
    failed=$((failed + 1))
    echo "FAIL  $1: $2"
    tail -n 60 out | sed 's/^/    | /'
  fi
}

figures() {
  awk '/states, stored/ {s = $1} /depth reached/ {d = $6 + 0} /total actual memory/ {m = $1}
       /elapsed time/ {t = $4} END {printf "%d states, depth %d, %d MB, %s s", s, d, m, t}' out
}

# holds NAME DEFINES...: the rules hold in all states of that size.
holds() {
  name=$1
  shift
  verify "$@"
  grep -q 'errors: 0$' out && ! grep -q 'not completed\|out of memory' out
  verdict "$name" "$(figures)" $?
}

# covers NAME DEFINES...: they hold, and every statement of the model is reached.
covers() {
  holds "$@" -DCOVERAGE
  ! unreached >/dev/null
  verdict "$1" "no unreached statement" $?
}

# breaks RULE DEFINES...: without the rule Spin finds a counterexample.
breaks() {
  name=$1
  shift
  verify "$@"
  grep -q 'errors: 1$' out
  verdict "without \"$name\"" "$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' out)" $?
}

one="-DCHANNELS_OPEN=1"
# shellcheck disable=SC2086 # defines, one word each
{
  covers "one channel, two deaths" $one -DBYTES0=2
  covers "one channel, a reset, two deaths" $one -DRESETS=1
  holds "one channel, a suspect link, a death" $one -DBYTES0=2 -DCOPIES=1 -DDEATHS=1
  holds "two channels, a death" -DDEATHS=1
  covers "two channels, one at a time, two deaths" -DONE_AT_A_TIME
  if [ "$long" = --long ]; then
    covers "one channel, a suspect link, two deaths" $one -DBYTES0=2 -DCOPIES=1
    holds "one channel both ways, two deaths" $one -DBYTES0=2 -DBYTES1=2
    holds "one channel, a reset among bytes, two deaths" $one -DBYTES0=2 -DRESETS=1
    holds "two channels, a reset, a death" -DRESETS=1 -DDEATHS=1
    holds "two channels, a suspect link, a death" -DCOPIES=1 -DDEATHS=1
    holds "one channel, three deaths of four links" $one -DLINKS=4 -DDEATHS=3
  fi

  breaks "DEAD asks for an ACK" $one -DDEAD_UNACKED
  breaks "DEAD is sent again when its link dies" $one -DDEAD_ONCE
  breaks "DEAD is not kept in a log" $one -DDEAD_IN_LOG
  breaks "an unknown link is answered with 0" $one -DNO_ANSWER
  breaks "an unknown link's id is remembered" $one -DNOT_REMEMBERED
  breaks "sticky until known" $one -DNOT_STICKY
  breaks "the rest goes to one other link" $one -DSCATTERED
  breaks "who gives up reads no more" $one -DREADS_ON
  breaks "only DATA may be sent twice" $one -DALL_TWICE -DCOPIES=1 -DDEATHS=0
  breaks "the greatest limit counts" $one -DLATEST_COUNTS -DBYTES0=3 -DCOPIES=1 -DDEATHS=0
}

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
