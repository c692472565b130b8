#!/bin/sh
# check_cppcheck.sh BUILD [ROOT] - a second analyser, on the shipped code only. It does not know that
# recv() may discard into NULL, nor our lists, hence no NULL checks here.
set -eu
cd "${2:-$(dirname "$0")/../..}"
mkdir -p "$1/cppcheck"
exec cppcheck --quiet --std=c11 --language=c --enable=warning,style,performance,portability --inline-suppr \
  --error-exitcode=1 --cppcheck-build-dir="$1/cppcheck" -j "$(nproc)" -I include -D_GNU_SOURCE -D__GNUC__=12 \
  -DTWS_VERSION='"0"' \
  --library=posix,gnu --suppress=missingIncludeSystem --suppress=unusedStructMember --suppress=constParameterCallback \
  --suppress=variableScope --suppress=constParameter --suppress=redundantContinue --suppress=uninitvar \
  --suppress=nullPointer --suppress=nullPointerRedundantCheck --suppress=ctunullpointer \
  --suppress=unmatchedSuppression --suppress=checkersReport src include
