#!/bin/sh
# check_format.sh BUILD [ROOT] - every C file is as clang-format writes it.
set -eu
cd "${2:-$(dirname "$0")/../..}"
git ls-files -z --cached --others --exclude-standard '*.c' '*.h' ':!tests/lint/fixtures' |
  xargs -0 -r clang-format --dry-run --Werror --style=file
