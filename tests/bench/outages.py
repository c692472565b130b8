#!/usr/bin/env python3
"""outages.py - what forwarded connections notice when all links die.

    python3 tests/bench/outages.py [--tws BINARY] [--rounds N] [BENCH...]

outages   all links down for 1, 5 and 30 s, by reset and by silence: when the first byte comes
grace     links stay away longer than grace: when every channel is reset, and what the log says
memory    30 s without links while the local sides send all they can: what a session holds
reloads   nginx reloads 50 times under load with worker_shutdown_timeout 1s"""
import concurrent.futures
import hashlib
import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_site import MIB, Site, Stage, Stream, main, median, pour  # noqa: E402

import tws_e2e  # noqa: E402

CHANNELS = 20
BACK_S = 1.5


# ---- outages ----

def one_outage(kind, seconds):
    """(seconds from the end of an outage to the first byte, channels lost, whether it hit bytes in flight)"""
    fault = Site.refuse if kind == "reset" else Site.swallow

    def handler(peer):
        if peer.recv(1) == b"d":
            pour(peer)
        tws_e2e.echo(peer)

    with Site([{"delay": 10, "rate": 8}] * 2, handler) as site:
        idle = [site.connect() for _ in range(CHANNELS)]
        for peer in idle:
            peer.sendall(b"e.")
            tws_e2e.read_exactly(peer, 1)
        busy = site.connect()
        busy.sendall(b"d")
        stream = Stream(busy)
        stream.wait_after(time.monotonic() + 1, 10)
        fault(site, True)
        time.sleep(seconds)
        fault(site, False)
        first = stream.wait_after(time.monotonic(), 60)
        lost = sum(not answers(peer) for peer in idle) + (first is None)
        tws_e2e.reset(busy)
        hit = kind == "reset" or site.dropped() > 0
        for peer in idle:
            peer.close()
        return first if first is not None else 60.0, lost, hit


def answers(peer):
    try:
        peer.sendall(b"still there")
        return tws_e2e.read_exactly(peer, 11) == b"still there"
    except (OSError, AssertionError):
        return False


def outages(report, options):
    rounds = options.rounds or 10
    for seconds in (1, 5, 30):
        for kind in ("reset", "silence"):
            with concurrent.futures.ProcessPoolExecutor(5 if seconds == 30 else 2) as pool:
                done = list(pool.map(one_outage, [kind] * rounds, [seconds] * rounds))
            if not all(hit for _, _, hit in done):
                raise AssertionError("an outage hit nothing in flight")
            firsts = [first for first, _, _ in done]
            what = f"{seconds} s by {kind}"
            report.line(f"{what}: channels lost of {rounds * (CHANNELS + 1)}", sum(lost for _, lost, _ in done), "", most=0)
            report.line(f"{what}: first byte, the latest of {rounds}", max(firsts), "s", most=BACK_S,
                        median=median(firsts), all=firsts)


# ---- grace ----

def grace(report, options):
    """The clock runs from the moment the sessions say that they have no link."""
    for _ in range(options.rounds or 3):
        with Site([{"delay": 10, "rate": 20}] * 2, grace="5s", server={"grace": "5s"}) as site:
            peers = [site.connect() for _ in range(CHANNELS)]
            for peer in peers:
                peer.sendall(b"x")
                tws_e2e.read_exactly(peer, 1)
            site.refuse(True)
            site.tunnel.client.wait_log("session suspended")
            began = time.monotonic()
            for peer in peers:
                try:
                    ended = peer.recv(1) == b""
                except ConnectionResetError:
                    ended = True
                if not ended:
                    raise AssertionError("a byte came out of nowhere")
            after = time.monotonic() - began - 5
            site.tunnel.client.wait_log('session over.*reason="[^"]*(grace|away|links)')
            site.tunnel.server.wait_log("session over")
            report.line("last channel reset after grace was over", after, "s", least=-0.1, most=1.0,
                        log=re.search("session over.*", site.tunnel.client.log).group(0))


# ---- memory ----

def memory(report, options):
    """40 channels each way, all local sides sending as fast as they can into nothing."""
    budget = 16
    with Site([{"delay": 10, "rate": 200}] * 2, pour, memory=f"{budget}MiB", server={"memory": f"{budget}MiB"}) as site:
        idle = {side.name: side.memory() for side in (site.tunnel.client, site.tunnel.server)}
        peers = [site.connect() for _ in range(40)]
        for peer in peers:
            threading.Thread(target=quietly, args=(pour, peer), daemon=True).start()
        time.sleep(3)
        site.refuse(True)
        most = dict(idle)
        for _ in range(60):
            time.sleep(0.5)
            for side in (site.tunnel.client, site.tunnel.server):
                most[side.name] = max(most[side.name], side.memory())
        for name, value in most.items():
            report.line(f"{name}: most during 30 s without links, over idle", (value - idle[name]) / MIB, "MiB",
                        most=budget, idle=idle[name] / MIB)
        site.refuse(False)
        for peer in peers:
            tws_e2e.reset(peer)


def quietly(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass


# ---- nginx ----

def reloads(report, options):
    """Echoes through nginx, which reloads again as soon as the links of the last reload are back."""
    count = options.rounds or 50
    stage = Stage()
    stage.setUp()
    try:
        target = stage.service()
        tunnel = stage.tunnel(target.port, links=2)
        with open(tunnel.nginx.path, encoding="utf-8") as file:
            text = file.read().replace("worker_processes 1;", "worker_processes 1; worker_shutdown_timeout 1s;")
        stage.write(os.path.relpath(tunnel.nginx.path, stage.folder), text)
        tunnel.nginx.process.stop()
        tunnel.nginx.start()
        tunnel.wait_links()
        stop = threading.Event()
        idle = [tws_e2e.connect(tunnel.port, timeout=180) for _ in range(CHANNELS)]
        busy = threading.Thread(target=exchange_until, args=(tunnel.port, stop, failures := []))
        busy.start()
        died = 0
        for _ in range(count):
            before = tunnel.established()
            tunnel.nginx.reload()
            tws_e2e.wait_until(lambda: not before & tunnel.established(), "every link dies")
            died += len(before)
            tunnel.wait_links()
        stop.set()
        busy.join()
        lost = sum(not answers(peer) for peer in idle) + len(failures)
        for peer in idle:
            peer.close()
        tunnel.client.stop()
        over = re.search(r"session over .*links_lost=(\d+) resent=(\d+)", tunnel.client.log)
        report.line(f"{count} reloads: channels lost of {CHANNELS + 1}", lost, "", most=0, failures=failures)
        report.line("links that died", died, "", least=2 * count)
        report.line("messages sent again by the client", int(over.group(2)), "", least=1)
    finally:
        stage.doCleanups()


def exchange_until(port, stop, failures):
    """One connection, MiB after MiB through an echo, each compared."""
    with tws_e2e.connect(port, timeout=180) as peer:
        while not stop.is_set():
            piece = os.urandom(MIB)
            sender = threading.Thread(target=peer.sendall, args=(piece,))
            sender.start()
            try:
                came = tws_e2e.read_exactly(peer, len(piece))
                if hashlib.sha256(came).digest() != hashlib.sha256(piece).digest():
                    failures.append("altered")
            except (OSError, AssertionError) as error:
                failures.append(str(error))
                peer.shutdown(socket.SHUT_RDWR)
                stop.set()
            sender.join()


if __name__ == "__main__":
    main(__doc__, {"outages": outages, "grace": grace, "memory": memory, "reloads": reloads})
