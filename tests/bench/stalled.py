#!/usr/bin/env python3
"""stalled.py - a live transfer beside 1,000 readers that do not read: alone and beside them, in turns, for
tws and for two plain relays, which share the kernel's memory for sockets but no channel.

    python3 tests/bench/stalled.py [--tws BINARY] [--rounds N] [--readers N] [CONTESTANT...]"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import contestants  # noqa: E402
import tws_e2e  # noqa: E402

MIB = 1 << 20


def kernel_memory():
    """MiB that all of the machine's TCP sockets hold."""
    with open("/proc/net/sockstat", encoding="ascii") as file:
        return int(re.search(r"^TCP:.* mem (\d+)", file.read(), re.M).group(1)) * os.sysconf("SC_PAGE_SIZE") / MIB


class Room:
    """The kernel's limit for all TCP sockets, raised: a thousand targets that never stop fill two buffers
    each, and at the limit nothing moves for anyone, whatever is in between."""
    path = "/proc/sys/net/ipv4/tcp_mem"

    def __enter__(self):
        with open(self.path, encoding="ascii") as file:
            self.before = file.read()
        self.write(" ".join(str(int(word) * 4) for word in self.before.split()))

    def __exit__(self, *_):
        self.write(self.before)

    def write(self, text):
        with open(self.path, "w", encoding="ascii") as file:
            file.write(text)


class Target:
    """Never stops sending."""

    def __init__(self):
        self.poured = 0
        self.service = tws_e2e.Service(self.pour)

    def pour(self, peer):
        piece = bytes(MIB)
        while True:
            peer.sendall(piece)
            self.poured += 1

    def wait_still(self):
        """Until every buffer up to the stalled readers is full."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < 1:
            if self.poured != seen:
                seen, since = self.poured, time.monotonic()
            time.sleep(0.05)


def transfer(port):
    """Gbit/s down."""
    text = subprocess.run(["iperf3", "-c", "127.0.0.1", "-p", str(port), "-R", "-J", "-t", "2"], check=True,
                          capture_output=True, text=True).stdout
    return json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e9


def measure(contestant, readers):
    target, live, stage = Target(), tws_e2e.free_port(), contestants.Stage()
    stage.setUp()
    stage.start("iperf3", ["iperf3", "-s", "-p", str(live)]).expected = (0, 1, -15)
    tws_e2e.wait_until(lambda: tws_e2e.is_listening(live), "iperf3 listens")
    running = contestant([target.service.port, live])
    try:
        port = running.ports[1]
        alone = [transfer(port) for _ in range(3)]
        stalled = [tws_e2e.connect(running.ports[0]) for _ in range(readers)]
        target.wait_still()
        held = kernel_memory()
        beside = [transfer(port) for _ in range(3)]
        for peer in stalled:
            tws_e2e.reset(peer)
        return statistics.median(alone), statistics.median(beside), held
    finally:
        running.stop()
        target.service.close()
        stage.doCleanups()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tws", default=os.path.join(tws_e2e.ROOT, "build", "release", "tws"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("contestant", nargs="*", default=["direct", "haproxy", "tws"])
    options = parser.parse_args()
    tws_e2e.configure(os.path.abspath(options.tws), False)
    chosen = [c for c in contestants.ALL if c.__name__.lower() in options.contestant]
    found = {contestant.name: [] for contestant in chosen}
    with Room():
        for _ in range(options.rounds):
            for contestant in chosen:
                found[contestant.name].append(measure(contestant, options.readers))
                time.sleep(2)  # the kernel frees what the stalled ones held
    print(f"{'':20}{'alone':>10}{'beside':>10} Gbit/s{'ratio':>7}{'kernel memory':>16} MiB")
    for name, rounds in found.items():
        alone, beside, held = (statistics.median(each) for each in zip(*rounds))
        ratio = statistics.median(b / a for a, b, _ in rounds)
        print(f"{name:20}{alone:10.2f}{beside:10.2f}      {ratio:8.2f}{held:16.0f}")
        print(json.dumps({"bench": "stalled", "contestant": name, "readers": options.readers, "rounds": rounds, "ratio": ratio}))


if __name__ == "__main__":
    main()
