# failures.awk - what matters of a log in which tests failed: awk -f failures.awk LOG
#
# Of a Python test its unittest section (FAIL or ERROR with the name, traceback, assertion) without the
# frames of Python's own library, of a ctest test what it printed; of either at most PER lines of at most
# WIDTH characters, MOST lines altogether. Nothing if the log has no such section.

BEGIN { PER = 16; MOST = 48; WIDTH = 240 }

# What ends a section: unittest's totals, ctest's next line about a test, its summary.
/^Ran [0-9]+ tests? in / || /^[ \t]*Start[ \t]+[0-9]+: / || /^[0-9]+% tests passed/ { within = 0 }
/^[ \t]*[0-9]+\/[0-9]+ Test +#[0-9]+: / { within = 0 }

/^======/ { bar = 1; next }
bar && /^(FAIL|ERROR): / { begin() }
{ bar = 0 }
/^[ \t]*[0-9]+\/[0-9]+ Test +#[0-9]+: .*\*\*\*/ { begin() }

/^  File "/ { library = /^  File "[^"]*\/lib\/python/ }
/^[^ ]/ { library = 0 }

within && !library && used < PER && total < MOST && !/^-----/ && !/^Traceback / && !/^[ \t^~]*$/ {
  used++
  total++
  print substr($0, 1, WIDTH)
}

function begin() {
  within = 1
  used = 0
}
