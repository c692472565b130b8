#!/bin/sh
# check_shell.sh BUILD [ROOT] - shellcheck over every shell script.
set -eu
cd "${2:-$(dirname "$0")/../..}"
git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run ':!tests/lint/fixtures' |
  xargs -0 -r shellcheck -S warning -x --source-path=SCRIPTDIR:SCRIPTDIR/../tests/support:SCRIPTDIR/..
