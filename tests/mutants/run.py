#!/usr/bin/env python3
"""run.py - puts one fault at a time into a copy of the tree and demands that a named test notices.

mutants.list has a paragraph for each fault: name, file, old text (exactly once in the file; \\n is a line's end),
new text, and by: the test binary and the test that must fail. Only what a fault touches is built
again. The copy and its build are in build/mutants and are kept, so that the next run is quick.

  run.py                       all
  run.py --sample N --seed S   N of them, chosen by S (default: the day)
  run.py NAME...               these; -v also shows every test that failed
"""
import argparse
import datetime
import os
import random
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.path.join(ROOT, "build", "mutants")
TREE = os.path.join(WORK, "tree")
BUILD = os.path.join(WORK, "build")
FIELDS = ("name", "file", "old", "new", "by")
TEST_SECONDS = 120


def read_list(path):
    mutants = []
    with open(path, encoding="utf-8") as f:
        text = "".join(line for line in f if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        m = dict(re.match(r"(\w+): ?(.*)", line).groups() for line in paragraph.splitlines())
        if tuple(m) != FIELDS:
            sys.exit(f"mutants.list: wants {FIELDS} in\n{paragraph}")
        m["old"], m["new"] = (m[key].replace("\\n", "\n") for key in ("old", "new"))
        m["binary"], m["test"] = m["by"].split()
        mutants.append(m)
    if len({m["name"] for m in mutants}) != len(mutants):
        sys.exit("mutants.list: a name is there twice")
    return mutants


def call(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def must(*command):
    done = call(*command)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def copy_tree():
    """The sources of the working tree; what did not change keeps its time, and is not built again."""
    wanted = set()
    for part in ("CMakeLists.txt", "src", "include", "tests"):
        for folder, _, names in os.walk(os.path.join(ROOT, part)):
            wanted.update(os.path.relpath(os.path.join(folder, name), ROOT) for name in names)
    wanted.add("CMakeLists.txt")
    for folder, _, names in os.walk(TREE):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.relpath(path, TREE) not in wanted:
                os.remove(path)
    for name in wanted:
        here, there = os.path.join(ROOT, name), os.path.join(TREE, name)
        if not os.path.exists(there) or read(here) != read(there):
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy(here, there)
    must("cmake", "-S", TREE, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O1")


def build(target):
    return call("cmake", "--build", BUILD, "--target", target, "-j", str(os.cpu_count() or 2))


def failed_tests(binary):
    """Names of the tests of a binary that fail."""
    try:
        done = subprocess.run([os.path.join(BUILD, "tests", binary)], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, check=False, timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return ["(it never ended)"]
    lines = re.findall(r"^\S+?:\d+:[FE]:[^:]*:(\w+):", done.stdout, re.M)
    return sorted(set(lines))


def judge(mutant):
    """None if the named test killed it, else what went wrong; and all tests that failed."""
    path = os.path.join(TREE, mutant["file"])
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(mutant["old"]) != 1:
        return f"{mutant['file']} has the old text {text.count(mutant['old'])} times", []
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(mutant["old"], mutant["new"]))
        done = build(mutant["binary"])
        if done.returncode != 0:
            return "does not build:\n" + done.stdout[-1500:], []
        failed = failed_tests(mutant["binary"])
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    if mutant["test"] in failed:
        return None, failed
    return f"survived {mutant['test']}", failed


def choose(mutants, args):
    if args.names:
        unknown = set(args.names) - {m["name"] for m in mutants}
        if unknown:
            sys.exit(f"no such mutant: {' '.join(sorted(unknown))}")
        return [m for m in mutants if m["name"] in args.names]
    if args.sample and args.sample < len(mutants):
        print(f"{args.sample} of {len(mutants)}, seed {args.seed}")
        return random.Random(args.seed).sample(mutants, args.sample)
    return mutants


def main():
    parser = argparse.ArgumentParser(description="mutation tests")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", default=str(datetime.date.today()))
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    chosen = choose(read_list(os.path.join(ROOT, "tests", "mutants", "mutants.list")), args)

    copy_tree()
    for binary in sorted({m["binary"] for m in chosen}):
        done = build(binary)
        if done.returncode != 0 or failed_tests(binary):
            sys.exit(f"{binary} fails without any fault: {failed_tests(binary)}\n{done.stdout[-2000:]}")
    survivors = 0
    for m in chosen:
        wrong, failed = judge(m)
        survivors += wrong is not None
        print(f"{'killed  ' if wrong is None else 'SURVIVED'} {m['name']}" + ("" if wrong is None else f": {wrong}"))
        if args.verbose or wrong:
            print("    " + (" ".join(failed) or "no test failed"))
        sys.stdout.flush()
    print(f"{len(chosen) - survivors} passed, {survivors} failed")
    sys.exit(survivors != 0)


main()
