#!/bin/sh
# check_symbols.sh BUILD [ROOT] - proves that the core does no I/O: what its libraries take from
# outside is in this list, and the list has no socket, file, clock or environment in it. Also, that no
# two layers define the same name.
set -u
build=$1
allowed='tws_[a-z0-9_]*
mem(cpy|set|move|cmp|chr)(_chk)?
str(len|nlen|cmp|ncmp|chr|rchr|spn|cspn|toul|toull)
__mem(cpy|move|set)_chk
(__)?v?snprintf(_chk)?
__isoc(99|23)_strtou?ll?
__assert_fail
abort
__stack_chk_fail
_GLOBAL_OFFSET_TABLE_
__ctype_(b|tolower|toupper)_loc
bsearch
qsort
bcmp'
pattern=$(echo "$allowed" | tr '\n' '|')

status=0
for layer in proto mux; do
  library=$build/libtws_$layer.a
  if [ ! -f "$library" ]; then
    echo "$library: not built"
    exit 1
  fi
  outside=$(nm -u "$library" | awk '$1 == "U" {print $2}' | sort -u | grep -vxE "${pattern%|}")
  if [ -n "$outside" ]; then
    echo "libtws_$layer.a takes from outside what the core must not know:"
    echo "$outside"
    status=1
  else
    echo "libtws_$layer.a: $(nm -u "$library" | awk '$1 == "U" && $2 !~ /^tws_/ {print $2}' | sort -u | tr '\n' ' ')"
  fi
done
twice=$(nm --defined-only -g "$build"/libtws_*.a 2>/dev/null | awk '$2 ~ /[TDBR]/ {print $3}' | sort | uniq -d)
if [ -n "$twice" ]; then
  echo "defined twice:"
  echo "$twice"
  status=1
fi
exit "$status"
