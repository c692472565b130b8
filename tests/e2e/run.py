#!/usr/bin/env python3
"""run.py - runs the end-to-end tests: run.py [--tws BINARY] [--sanitized] [WORD...]

With words, only tests whose name has one of them. Each test says how long it took; the last line
is "N passed, N failed, N skipped"."""
import argparse
import os
import sys
import time
import unittest

import tws_e2e


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

    def addSuccess(self, test):
        super().addSuccess(test)


def chosen(suite, words, sanitized):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from chosen(item, words, sanitized)
            continue
        method = getattr(item, item._testMethodName, None)
        if sanitized and (getattr(method, "only_plain", False) or getattr(type(item), "only_plain", False)):
            continue
        if not words or any(word in item.id() for word in words):
            yield item


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tws", default=tws_e2e.TWS)
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    tws_e2e.configure(arguments.tws, arguments.sanitized)
    found = unittest.defaultTestLoader.discover(os.path.dirname(os.path.abspath(__file__)))
    tests = unittest.TestSuite(chosen(found, arguments.words, arguments.sanitized))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(tests)
    failed = len({case.id() for case, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0 or result.testsRun == 0)


main()
