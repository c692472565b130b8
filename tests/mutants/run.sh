#!/bin/sh
# run.sh [sample|all] - faults that a test must notice; see run.py.
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-sample} in
all) exec python3 "$here/run.py" ;;
sample) exec python3 "$here/run.py" --sample 12 ;;
*) echo "usage: $0 [sample|all]" >&2; exit 2 ;;
esac
