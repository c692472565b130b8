#!/usr/bin/env python3
"""check_banned.py - functions and words that have no place in the sources."""
import re

import c_source

BANNED = {
    r"str(?:n?cpy|n?cat|tok)|v?sprintf|gets|atoi|atol|atoll|atof": "unbounded, or silent about errors",
    r"[fs]?scanf": "no bound, undefined on overflow",
    r"alloca": "stack growth nobody checks",
    r"u?sleep|nanosleep": "waiting for time instead of for the thing",
}
SHIPPED = ("src/", "include/")
SHIPPED_BANNED = {r"system|popen": "a shell", r"signal": "sigaction says what it means", r"s?rand": "predictable"}
CORE = ("src/proto/", "src/mux/")
CORE_BANNED = {r"malloc|calloc|realloc|free": "the core takes its memory from tws_mem",
               r"time|clock|gettimeofday|clock_gettime": "time is an argument"}
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|[Nn]ot implemented")


def calls(code, table):
    for names, reason in table.items():
        for match in re.finditer(rf"(?<![\w.>])(?:{names})\s*\(", code):
            yield code.count("\n", 0, match.start()) + 1, f"{match.group(0).rstrip('( ')}: {reason}"


def check(path, text):
    code = c_source.bare(text)
    found = list(calls(code, BANNED))
    if path.startswith(SHIPPED):
        found += calls(code, SHIPPED_BANNED)
    if path.startswith(CORE):
        found += calls(code, CORE_BANNED)
    for number, line in enumerate(text.splitlines(), 1):
        word = WORDS.search(line)
        if word:
            found.append((number, f"'{word.group(0)}': finish it or leave it out"))
        if re.match(r"\s*#\s*if\s+0\b", line):
            found.append((number, "#if 0: dead code"))
        if "\t" in line:
            found.append((number, "a tab"))
    return [f"{path}:{number}: {what}" for number, what in sorted(found)]


def main():
    _, root = c_source.arguments()
    complaints = []
    for path in c_source.files(root, ".c", ".h"):
        complaints += check(path, c_source.read(root, path))
    c_source.finish("banned", complaints)


main()
