#!/usr/bin/env python3
"""check_lints.py - the lints bite: each is run on tests/lint/fixtures, where every fault is, and has
to fail and to name what is wrong."""
import json
import os
import re
import subprocess
import tempfile

import c_source

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "fixtures")
FAULTS = os.path.join(FIXTURES, "src/mux/faults.c")

EXPECTED = {
    "check_banned.py": [r"strcpy: ", r"malloc: the core", r"'TODO'", r"#if 0"],
    "check_cppcheck.sh": [r"a\[2\].*out of bounds|arrayIndexOutOfBounds"],
    "check_docs.py": [r"gone\.md: no such file", r"#there: no such heading", r"gone\.c: no such file",
                      r"docs/broken\.md, \"Gone\": no such heading"],
    "check_format.sh": [r"faults\.c:15:\d+: error"],
    "check_layers.py": [r"loop\.h: net is not below mux", r"libwebsockets\.h belongs to ws", r"socket\.h: mux is plain C11"],
    "check_python.sh": [r"undefined name", r"imported but unused"],
    "check_shell.sh": [r"SC2045", r"SC2164"],
    "check_sizes.py": [r"tws_faults_many has 7 parameters", r"tws_faults_long has 8\d lines"],
    "check_symbols.sh": [r"^socket$", r"^malloc$", r"defined twice:\ntws_faults_index"],
    "check_tidy.sh": [r"readability-function-size", r"clang-analyzer"],
}


def make_build(build):
    """A build tree of the fixtures: a compilation database and the library of the core."""
    include = f"-I{os.path.join(HERE, '..', '..', 'include')}"
    command = ["cc", "-std=c11", "-w", include, "-c", FAULTS, "-o", "faults.o"]
    with open(os.path.join(build, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump([{"directory": build, "arguments": command, "file": FAULTS}], file, indent=2)
    subprocess.run(command, cwd=build, check=True)
    for layer in ("proto", "mux"):
        subprocess.run(["ar", "rc", f"libtws_{layer}.a", "faults.o"], cwd=build, check=True)


def bites(lint, patterns, build):
    """None, or what is wrong with the lint."""
    run = subprocess.run([os.path.join(HERE, lint), build, FIXTURES], check=False, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode == 0:
        return f"{lint} passes where it must fail"
    missing = [pattern for pattern in patterns if not re.search(pattern, run.stdout, re.M)]
    return f"{lint} does not say {missing}, but:\n{run.stdout}" if missing else None


def main():
    lints = {name for name in os.listdir(HERE) if name.startswith("check_")} - {os.path.basename(__file__)}
    complaints = [f"no fixture provokes {lint}" for lint in sorted(lints - EXPECTED.keys())]
    with tempfile.TemporaryDirectory() as build:
        make_build(build)
        complaints += [wrong for lint, patterns in EXPECTED.items() if (wrong := bites(lint, patterns, build))]
    c_source.finish("lints", complaints)


main()
