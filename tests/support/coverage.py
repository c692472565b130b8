#!/usr/bin/env python3
"""coverage.py BUILD PERCENT FOLDER... - line coverage of FOLDERs after the tests ran in a TWS_COVERAGE
build, from gcov's own JSON; fails below PERCENT. Prints what each file lacks."""
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def runs(build):
    """gcov's report on every object that has data, one JSON document a line."""
    data = glob.glob(os.path.join(build, "**", "*.gcda"), recursive=True)
    if not data:
        sys.exit(f"{build}: no coverage data; run its tests first")
    output = subprocess.run(["gcov", "--json-format", "--stdout", *map(os.path.abspath, data)], cwd=build,
                            check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines() if line.strip()]


def lines_hit(reports, folders):
    """{file: {line: hit}} for the files in the folders; the same line may come from many objects."""
    hit = {}
    for report in reports:
        for file in report["files"]:
            path = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]), ROOT)
            if not path.startswith(tuple(folder.rstrip("/") + "/" for folder in folders)):
                continue
            lines = hit.setdefault(path, {})
            for line in file["lines"]:
                number = line["line_number"]
                lines[number] = lines.get(number, False) or line["count"] > 0
    return hit


def main():
    build, least, folders = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    hit = lines_hit(runs(build), folders)
    total = sum(len(lines) for lines in hit.values())
    reached = sum(sum(lines.values()) for lines in hit.values())
    for path, lines in sorted(hit.items()):
        missed = [str(number) for number, was_hit in sorted(lines.items()) if not was_hit]
        print(f"{100 * sum(lines.values()) / max(1, len(lines)):5.1f}%  {path}  {'not reached: ' + ' '.join(missed) if missed else ''}")
    percent = 100 * reached / max(1, total)
    print(f"{percent:5.1f}%  of {total} lines in {' '.join(folders)}; at least {least:.0f}% is asked for")
    sys.exit(percent < least)


main()
