#!/usr/bin/env python3
"""run.py - runs the end-to-end tests: run.py [--tws BINARY] [--sanitized] [--jobs N] [WORD...]

With words, only tests whose name has one of them. With jobs, that many test files at a time, each in
a network namespace of its own where that can be made, so that none takes another's port; then, alone,
the tests that measure. Each test says how long it took; what failed comes last, and the last line is
"N passed, N failed, N skipped"."""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time
import unittest

import tws_e2e

OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
TOTALS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


class Result(unittest.TextTestResult):
    """One line a test, with its seconds."""

    def startTest(self, test):
        self.began = time.monotonic()
        self.stream.write(f"{test.id()} ... ")
        self.stream.flush()
        unittest.TestResult.startTest(self, test)

    def stopTest(self, test):
        unittest.TestResult.stopTest(self, test)
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")


def marked(test, mark):
    return getattr(getattr(test, test._testMethodName, None), mark, False) or getattr(type(test), mark, False)


def every(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from every(item)
        else:
            yield item


def chosen(arguments):
    for test in every(unittest.defaultTestLoader.discover(os.path.dirname(os.path.abspath(__file__)))):
        if arguments.sanitized and marked(test, "only_plain"):
            continue
        if arguments.file and (test.id().split(".")[0] != arguments.file or marked(test, "alone")):
            continue
        if arguments.alone and not marked(test, "alone"):
            continue
        if not arguments.words or any(word in test.id() for word in arguments.words):
            yield test


def run_here(tests):
    """(passed, failed, skipped) of the tests, one after the other."""
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(unittest.TestSuite(tests))
    failed = len({case.id() for case, _ in result.failures + result.errors})
    return result.testsRun - failed - len(result.skipped), failed, len(result.skipped)


def run_elsewhere(network, *options):
    """What another run.py with these options printed, and its totals."""
    argv = [*network, sys.executable, *sys.argv, *options]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    totals = TOTALS.findall(done.stdout)
    return done.stdout, [int(number) for number in totals[-1]] if totals else [0, 1, 0]


def run_beside(tests, jobs):
    """The same for files beside each other."""
    own = subprocess.run([*OWN_NETWORK, "true"], check=False, capture_output=True).returncode == 0
    files = dict.fromkeys(test.id().split(".")[0] for test in tests if not marked(test, "alone"))
    totals, bad = [0, 0, 0], []
    with concurrent.futures.ThreadPoolExecutor(jobs if own else 1) as pool:
        runs = [pool.submit(run_elsewhere, OWN_NETWORK if own else [], "--file", file) for file in files]
        for run in concurrent.futures.as_completed(runs):
            gather(run.result(), totals, bad)
    if any(marked(test, "alone") for test in tests):
        gather(run_elsewhere([], "--alone"), totals, bad)
    for printed in bad:
        print(printed)
    return totals


def gather(outcome, totals, bad):
    printed, counted = outcome
    totals[:] = [total + more for total, more in zip(totals, counted)]
    if counted[1]:
        bad.append(printed)
    else:
        print(printed, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tws", default=tws_e2e.TWS)
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--file", help="only the tests of this file that may run beside others")
    parser.add_argument("--alone", action="store_true", help="only tests that must run alone")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    tws_e2e.configure(arguments.tws, arguments.sanitized)
    tests = list(chosen(arguments))
    beside = arguments.jobs > 1 and not arguments.file and not arguments.alone
    passed, failed, skipped = run_beside(tests, arguments.jobs) if beside else run_here(tests)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0 or passed + failed + skipped == 0)


main()
