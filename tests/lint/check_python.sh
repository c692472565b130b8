#!/bin/sh
# check_python.sh BUILD [ROOT] - pyflakes over every Python file.
set -eu
cd "${2:-$(dirname "$0")/../..}"
git ls-files -z --cached --others --exclude-standard '*.py' ':!tests/lint/fixtures' |
  xargs -0 -r /usr/bin/pyflakes3
