#!/usr/bin/env python3
"""uplinks.py - what several uplinks give one connection, and what one uplink costs it.

    python3 tests/bench/uplinks.py [--tws BINARY] [--rounds N] [BENCH...]

gap       one of two uplinks falls silent: the longest gap in a running transfer, for each schedule
typed     the same for small messages and redundant: the longest trip
bond      one flow over two equal uplinks of 50 Mbit/s beside one of them, and MPTCP over the same two
unequal   the same for 50 and 10 Mbit/s, and for 10 and 100 ms
tun       bond for one TCP connection over an IP link, beside one of the uplinks; equal ones and unequal ones
ping      a ping beside 8 bulk flows over one uplink of 50 Mbit/s, 20 ms, with the 2 links of a client that says nothing
capacity  4 channels at 1 Gbit/s, 100 ms beside 4 plain connections over the same wire"""
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_site import CONGESTION, MIB, Site, Stream, allow, main, median, percentile, pour  # noqa: E402

import netns  # noqa: E402
import tws_e2e  # noqa: E402

QUEUE = 256 << 10
EQUAL = [{"delay": 5, "rate": 50, "queue": QUEUE}] * 2
UNEQUAL = {"50 and 10 Mbit/s": [{"delay": 5, "rate": 50, "queue": QUEUE}, {"delay": 5, "rate": 10, "queue": QUEUE}],
           "10 and 100 ms": [{"delay": 5, "rate": 50, "queue": QUEUE}, {"delay": 50, "rate": 50, "queue": 4 * QUEUE}]}
TUN_SERVER = "10.9.0.1"


def sink(peer):
    while peer.recv(1 << 18):
        pass


def serve(peer):
    """The first byte says what for."""
    {b"d": pour, b"u": sink, b"e": tws_e2e.echo}[peer.recv(1)](peer)


def start(site, what, timeout=180):
    peer = site.connect(timeout)
    peer.sendall(what)
    return peer


# ---- one of two falls silent ----

def gap(report, options):
    asked = {"redundant": 0.5, "bond": 0.5, "auto": 1.5}
    for schedule, most in asked.items():
        found = []
        for _ in range(options.rounds or 5):
            with Site([{"delay": 20, "rate": 50, "queue": QUEUE}] * 2, pour, schedule=schedule) as site:
                peer = site.connect()
                stream = Stream(peer)
                time.sleep(2)
                carried = [wire.count("b")[0] for wire in site.wires]
                stream.gap = 0.0
                site.swallow(True, [site.wires[carried.index(max(carried))]])
                time.sleep(4)
                if site.dropped() == 0:
                    raise AssertionError("the silence hit nothing")
                found.append(max(stream.gap, time.monotonic() - stream.last))
                tws_e2e.reset(peer)
        report.line(f"{schedule}: longest gap, one of two uplinks silent, 40 ms", max(found), "s", most=most, all=found)


def typed(report, options):
    """Small messages, as somebody types them: the longest trip while the uplink that carried them is silent."""
    worst = []
    for _ in range(options.rounds or 5):
        with Site([{"delay": 20, "rate": 50, "queue": QUEUE}] * 2, tws_e2e.echo, schedule="redundant") as site:
            peer = site.connect()
            trips(peer, 20)
            carried = [wire.count("a")[0] for wire in site.wires]
            site.swallow(True, [site.wires[carried.index(max(carried))]])
            worst.append(max(trips(peer, 50)) / 1000)
            if site.dropped() == 0:
                raise AssertionError("the silence hit nothing")
            site.swallow(False)
            tws_e2e.reset(peer)
    report.line("redundant: longest trip of what is typed, one of two silent", max(worst), "s", most=0.5, all=worst)


# ---- bond ----

def throughput(wires, seconds, congestion, **client):
    """Mbit/s down of one connection, once it has grown."""
    with Site(wires, pour, {CONGESTION: congestion}, **client) as site:
        peer = site.connect()
        stream = Stream(peer)
        time.sleep(2)
        rate = stream.rate(seconds) / 1e6
        tws_e2e.reset(peer)
        return rate


def mptcp(wires, seconds, congestion):
    """Mbit/s of the kernel's own MPTCP over the same two wires, both machines' programs run by mptcpize."""
    with Site(wires, pour, {CONGESTION: congestion}) as site:
        net = site.net
        for name in (net.client, net.server):
            subprocess.run(["ip", "netns", "exec", name, "ip", "mptcp", "limits", "set", "subflow", "2",
                            "add_addr_accepted", "2"], check=True)
        netns.ip("-n", net.client, "mptcp", "endpoint", "add", site.wires[1].client, "dev", site.wires[1].device,
                 "subflow")
        server = site.stage.start("iperf3-server", ["ip", "netns", "exec", net.server, "mptcpize", "run", "iperf3",
                                                    "-s", "-1", "-B", netns.SERVER])
        server.expected = (0, 1, -15)
        tws_e2e.wait_until(lambda: "5201" in subprocess.run(["ip", "netns", "exec", net.server, "ss", "-Hltn"],
                                                            capture_output=True, text=True, check=True).stdout, "iperf3")
        text = subprocess.run(["ip", "netns", "exec", net.client, "mptcpize", "run", "iperf3", "-c", netns.SERVER,
                               "-R", "-O", "2", "-t", str(seconds), "-f", "m"], capture_output=True, text=True,
                              check=False).stdout
        found = re.search(r"([\d.]+) Mbits/sec +receiver", text)
        return float(found.group(1)) if found else 0.0


def throughput_of_ip(wires, seconds, congestion):
    """Mbit/s down of a TCP connection inside an IP link that is bonded."""
    with Site(wires, sysctls={CONGESTION: congestion}, server={"tun": {"device": "tun-s", "address": [f"{TUN_SERVER}/24"]}},
              schedule="bond") as site:
        net, tunnel = site.net, site.tunnel
        tunnel.users[0].update(tun=["pool"], allow=[f"{TUN_SERVER}:*"])
        tunnel.write_keys()
        tunnel.client_settings["forwards"].append({"kind": "tun", "device": "tun-c"})
        for process, start_again, name in ((tunnel.server, tunnel.start_server, net.server),
                                           (tunnel.client, tunnel.start_client, net.client)):
            process.stop()
            with net.inside(name):
                start_again()
        tunnel.client.wait_log("tun open")
        tunnel.client.wait_told(rf"STATUS={site.links} of {site.links} links? up.*")
        with net.inside(net.server):
            source = tws_e2e.Service(pour, TUN_SERVER)
        site.stage.addCleanup(source.close)
        with net.inside(net.client):
            peer = tws_e2e.connect(source.port, TUN_SERVER)
        stream = Stream(peer)
        time.sleep(3)
        rate = stream.rate(seconds) / 1e6
        tws_e2e.reset(peer)
        return rate


def tun(report, options):
    for congestion in ("bbr", "cubic"):
        for name, wires in {"two of 50 Mbit/s": EQUAL, **UNEQUAL}.items():
            best, both = [], []
            for _ in range(options.rounds or 3):
                best.append(throughput_of_ip(wires[:1], 6, congestion))
                both.append(throughput_of_ip(wires, 6, congestion))
            report.line(f"{congestion}: TCP in an IP link bonded over {name}, beside the best", median(both) / median(best),
                        "x", least=0.98, best=best, both=both)


def bond(report, options):
    for congestion in ("bbr", "cubic"):
        ones, twos, kernels = [], [], []
        for _ in range(options.rounds or 3):
            ones.append(throughput(EQUAL[:1], 6, congestion, schedule="bond"))
            twos.append(throughput(EQUAL, 6, congestion, schedule="bond"))
            kernels.append(mptcp(EQUAL, 6, congestion))
        report.line(f"{congestion}: one uplink of 50 Mbit/s", median(ones), "Mbit/s")
        report.line(f"{congestion}: MPTCP over both, beside one", median(kernels) / median(ones), "x")
        report.line(f"{congestion}: bond over both, beside one", median(twos) / median(ones), "x", least=1.9,
                    ones=ones, twos=twos, mptcp=kernels)


def unequal(report, options):
    for congestion in ("bbr", "cubic"):
        for name, wires in UNEQUAL.items():
            best, both = [], []
            for _ in range(options.rounds or 3):
                best.append(throughput(wires[:1], 8, congestion, schedule="bond"))
                both.append(throughput(wires, 8, congestion, schedule="bond"))
            report.line(f"{congestion}: bond over {name}, beside the best", median(both) / median(best), "x", least=0.98,
                        best=best, both=both)


# ---- ping beside bulk ----

def trips(peer, count):
    took = []
    for _ in range(count):
        began = time.monotonic()
        peer.sendall(b"p" * 64)
        tws_e2e.read_exactly(peer, 64)
        took.append((time.monotonic() - began) * 1000)
        time.sleep(0.02)
    return took


def fill(site, what):
    """Eight bulk flows one way."""
    peers = [start(site, what) for _ in range(8)]
    for peer in peers:
        if what == b"d":
            Stream(peer)
        else:
            threading.Thread(target=quietly_pour, args=(peer,), daemon=True).start()
    return peers


def quietly_pour(peer):
    try:
        pour(peer)
    except OSError:
        pass


def ping(report, options):
    for congestion in ("bbr", "cubic"):
        for name, what in (("down", b"d"), ("up", b"u")):
            with Site([{"delay": 10, "rate": 50, "queue": 1 << 20}], serve, {CONGESTION: congestion},
                      connections=2) as site:
                peer = start(site, b"e")
                alone = trips(peer, 100)
                idle = median(alone)
                bulk = fill(site, what)
                time.sleep(4)
                busy = trips(peer, options.rounds or 300)
                for each in bulk:
                    tws_e2e.reset(each)
                report.line(f"{congestion}: ping p99 beside 8 flows {name}, over idle", percentile(busy, 0.99) - idle, "ms",
                            most=20, idle=idle, idle_p99=percentile(alone, 0.99), p50=median(busy))


# ---- a long fat way ----

BUFFERS = {"net.ipv4.tcp_rmem": "4096 131072 134217728", "net.ipv4.tcp_wmem": "4096 131072 134217728"}


def together(peers, seconds):
    """Mbit/s of all of them, once they have grown."""
    streams = [Stream(peer) for peer in peers]
    time.sleep(8)
    before, began = sum(stream.count for stream in streams), time.monotonic()
    time.sleep(seconds)
    rate = (sum(stream.count for stream in streams) - before) * 8 / (time.monotonic() - began) / 1e6
    for peer in peers:
        tws_e2e.reset(peer)
    return rate


def plainly(site):
    """Four connections that no tunnel carries."""
    with site.net.inside(site.net.server):
        site.bare = tws_e2e.Service(pour, netns.SERVER)
    site.stage.addCleanup(site.bare.close)
    with site.net.inside(site.net.client):
        return [tws_e2e.connect(site.bare.port, netns.SERVER) for _ in range(4)]


def capacity(report, options):
    """A channel's window is 8 MiB, two thirds of this way: so four, over one link."""
    tunnel, direct = [], []
    for _ in range(options.rounds or 2):
        for ways, found in ((plainly, direct), (lambda site: [site.connect() for _ in range(4)], tunnel)):
            with Site([{"delay": 50, "rate": 1000, "queue": 32 * MIB}], pour, BUFFERS, 9000) as site:
                found.append(together(ways(site), 6))
    report.line("4 plain TCP connections at 1 Gbit/s, 100 ms", median(direct), "Mbit/s", all=direct)
    report.line("4 channels over one link, beside them", median(tunnel) / median(direct), "x", least=0.98, all=tunnel)


if __name__ == "__main__":
    allow("cubic")
    main(__doc__, {"gap": gap, "typed": typed, "bond": bond, "unequal": unequal, "tun": tun, "ping": ping, "capacity": capacity})
