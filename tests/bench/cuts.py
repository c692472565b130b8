#!/usr/bin/env python3
"""cuts.py - what the death of links costs a transfer: one connection through a session of 4 links,
first undisturbed, then while a random link is cut (ss -K) every 200 ms, in turns. Asserts that every
byte arrives and that messages were sent again; prints a table and JSON lines.

    python3 tests/bench/cuts.py [--tws BINARY] [--gib N] [--rounds N] [--wss]
"""
import argparse
import hashlib
import json
import os
import random
import re
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import tws_e2e  # noqa: E402

EVERY_S = 0.2
BLOCK = 4 << 20


def drain(peer):
    """Takes everything, answers with its hash."""
    seen = hashlib.sha256()
    while piece := peer.recv(1 << 20):
        seen.update(piece)
    peer.sendall(seen.digest())


class Cuts(tws_e2e.Case):
    options = None

    def transfer(self, tunnel, size):
        block, left = os.urandom(BLOCK), size
        expected, began = hashlib.sha256(), time.monotonic()
        with tws_e2e.connect(tunnel.port, timeout=600) as peer:
            while left > 0:
                piece = block[:left]
                peer.sendall(piece)
                expected.update(piece)
                left -= len(piece)
            peer.shutdown(1)
            self.assertEqual(tws_e2e.read_all(peer), expected.digest(), "bytes were lost or altered")
        return size / (time.monotonic() - began)

    def cutter(self, tunnel, stop, cuts):
        due = time.monotonic() + EVERY_S
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += EVERY_S
            alive = sorted(tunnel.established())
            if alive:
                tunnel.cut(random.choice(alive))
                cuts.append(time.monotonic())

    def disturbed(self, tunnel, size):
        stop, cuts = threading.Event(), []
        thread = threading.Thread(target=self.cutter, args=(tunnel, stop, cuts))
        thread.start()
        try:
            return self.transfer(tunnel, size), len(cuts)
        finally:
            stop.set()
            thread.join()

    def test_cuts(self):
        size = int(self.options.gib * (1 << 30))
        tunnel = self.tunnel(self.service(drain).port, plain=not self.options.wss, links=4)
        rates = {"undisturbed": [], "cut": []}
        cuts = 0
        for _ in range(self.options.rounds):
            tunnel.wait_links()
            rates["undisturbed"].append(self.transfer(tunnel, size))
            rate, n = self.disturbed(tunnel, size)
            rates["cut"].append(rate)
            cuts += n
        tunnel.client.stop()
        over = re.findall(r"session over .*links_lost=(\d+) resent=(\d+)", tunnel.client.log)
        lost, resent = (sum(int(found[i]) for found in over) for i in (0, 1))
        self.assertGreaterEqual(lost, cuts)
        self.assertGreater(resent, 0, "the cuts hit nothing in flight")
        self.assertNotIn('reason="reset', tunnel.client.log)
        median = {name: statistics.median(values) for name, values in rates.items()}
        print(f"{'':14}{'GB/s':>8}")
        for name, rate in median.items():
            print(f"{name:14}{rate / 1e9:8.3f}")
        print(f"{cuts} links cut, {resent} messages sent again, every byte arrived; "
              f"goodput {median['cut'] / median['undisturbed']:.2f} of undisturbed")
        print(json.dumps({"bench": "cuts", "gib": self.options.gib, "wss": self.options.wss, "rates": rates,
                          "cuts": cuts, "resent": resent, "ratio": median["cut"] / median["undisturbed"]}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tws", default=os.path.join(tws_e2e.ROOT, "build", "release", "tws"))
    parser.add_argument("--gib", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wss", action="store_true")
    Cuts.options = parser.parse_args()
    tws_e2e.configure(os.path.abspath(Cuts.options.tws), False)
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Cuts))
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
