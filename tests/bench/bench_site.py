"""bench_site.py - what the benches of links and uplinks stand on: a client's machine and a server's, joined by
wires whose faults are commanded (netns.py), a tunnel over them, and how a bench reports."""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import netns  # noqa: E402
import tws_e2e  # noqa: E402

MIB = tws_e2e.MIB


class Stage(tws_e2e.Case):
    """A test case that is only used for what it can start and end."""

    def runTest(self):
        """Not a test; unittest wants the name."""


class Site:
    """with Site(...) as site: two machines, `wires` (a dict of faults each) between them, a tunnel to a
    service in the server's. One uplink of that many connections for each wire, unless the client's settings
    name others."""

    def __init__(self, wires, handler=tws_e2e.echo, sysctls=None, mtu=1500, server=None, connections=1, **client):
        self.stage, self.connections = Stage(), connections
        self.stage.setUp()
        try:
            self._make_machines(wires, sysctls or {}, mtu)
            self._bring_up(handler, server, client)
        except BaseException:
            self.close()
            raise

    def _make_machines(self, wires, sysctls, mtu):
        self.net = netns.Machines(self.stage)
        for name in (self.net.client, self.net.server):
            for key, value in sysctls.items():
                self.net.sysctl(name, key, value)
        self.wires = [self.net.wire(name, **faults) for name, faults in zip("abcdefgh", wires)]
        for name in (self.net.client, self.net.server) if mtu != 1500 else ():
            for wire in self.wires:
                netns.ip("-n", name, "link", "set", wire.device, "mtu", str(mtu))

    def _bring_up(self, handler, server, client):
        with self.net.inside(self.net.server):
            self.target = tws_e2e.Service(handler)
        self.stage.addCleanup(self.target.close)
        self.tunnel = tunnel = self.stage.tunnel(self.target.port, plain=True, start=False)
        listen = f"{netns.SERVER}:{tunnel.server_port}"
        tunnel.server_settings.update({"listen": listen, **(server or {})})
        del tunnel.client_settings["connections"]
        uplinks = [{"name": wire.device, "interface": wire.device, "connections": self.connections}
                   for wire in self.wires]
        tunnel.client_settings.update({"server": f"ws://{listen}/tws", "encrypt": "off", "uplinks": uplinks, **client})
        with self.net.inside(self.net.server):
            tunnel.start_server()
        with self.net.inside(self.net.client):
            tunnel.start_client()
        self.links = sum(uplink.get("connections", 1) for uplink in tunnel.client_settings["uplinks"])
        tunnel.client.wait_told(rf"STATUS={self.links} of {self.links} links? up.*")

    def connect(self, timeout=180):
        with self.net.inside(self.net.client):
            return tws_e2e.connect(self.tunnel.port, timeout=timeout)

    def swallow(self, on, wires=None):
        """Silence: nothing comes through any more, and nobody says so."""
        for wire in wires or self.wires:
            wire.set("blackhole", int(on))

    def dropped(self):
        return sum(wire.count(way)[1] for wire in self.wires for way in "ab")

    def refuse(self, on):
        """Every link is reset, on both machines, and new ones are refused."""
        port = self.tunnel.server_port
        rules = f"""table inet outage {{ chain input {{ type filter hook input priority 0;
            tcp dport {port} reject with tcp reset; }}; }}""" if on else "delete table inet outage"
        subprocess.run(["ip", "netns", "exec", self.net.server, "nft", "-f", "-"], input=rules, text=True, check=True)
        for name, end in ((self.net.client, "dport"), (self.net.server, "sport")) if on else ():
            subprocess.run(["ip", "netns", "exec", name, "ss", "-K", "-tn", f"{end} = :{port}"], check=False,
                           capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in reversed(self.stage.processes):
            process.stop()
        self.stage.doCleanups()


class Stream:
    """Notes when bytes arrive over a connection, in a thread of its own."""

    def __init__(self, peer):
        self.peer, self.count, self.gap, self.error = peer, 0, 0.0, None
        self.last = time.monotonic()
        self.arrivals = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            while piece := self.peer.recv(1 << 18):
                now = time.monotonic()
                with self.arrivals:
                    self.gap, self.last = max(self.gap, now - self.last), now
                    self.count += len(piece)
                    self.arrivals.notify_all()
        except OSError as error:
            self.error = error

    def wait_after(self, moment, timeout):
        """Seconds from `moment` to the next byte; None: none came in time."""
        with self.arrivals:
            came = self.arrivals.wait_for(lambda: self.last > moment, timeout)
            return self.last - moment if came else None

    def rate(self, seconds):
        """Bits per second from now on."""
        began, before = time.monotonic(), self.count
        time.sleep(seconds)
        return (self.count - before) * 8 / (time.monotonic() - began)


def pour(peer):
    """A target that never stops sending."""
    piece = os.urandom(1 << 18)
    while True:
        peer.sendall(piece)


CONGESTION = "net.ipv4.tcp_congestion_control"


def sysctl(key):
    with open(f"/proc/sys/{key.replace('.', '/')}", encoding="ascii") as file:
        return file.read().strip()


def allow(congestion):
    """A namespace may only choose what the first one allows."""
    allowed = sysctl("net.ipv4.tcp_allowed_congestion_control")
    if congestion not in allowed.split():
        subprocess.run(["sysctl", "-q", f"net.ipv4.tcp_allowed_congestion_control={allowed} {congestion}"], check=True)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# ---- reports ----

class Report:
    """A table for people, and JSON lines for programs; knows whether a figure is short of what is asked."""

    def __init__(self, bench):
        self.bench, self.short = bench, []
        print(f"# {bench}: {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
              f"{sysctl(CONGESTION)}", flush=True)

    def line(self, what, found, unit, least=None, most=None, **more):
        good = (least is None or found >= least) and (most is None or found <= most)
        asked = f"at least {least}" if least is not None else f"at most {most}" if most is not None else "-"
        print(f"{what:58} {found:10.3f} {unit:8} asked: {asked:14} {'' if good else 'SHORT'}", flush=True)
        print(json.dumps({"bench": self.bench, "what": what, "found": round(found, 4), "unit": unit, "least": least,
                          "most": most, **more}), flush=True)
        if not good:
            self.short.append(what)


def median(values):
    return statistics.median(values)


def main(description, benches):
    """benches: {name: function(report, options)}; runs those that are named, or all."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tws", default=os.path.join(tws_e2e.ROOT, "build", "release", "tws"))
    parser.add_argument("--rounds", type=int, default=0, help="of each measurement; 0: as the bench has it")
    parser.add_argument("bench", nargs="*", choices=[[], *benches], default=[])
    options = parser.parse_args()
    tws_e2e.configure(os.path.abspath(options.tws), False)
    short = []
    for name in options.bench or benches:
        report = Report(name)
        benches[name](report, options)
        short += report.short
    sys.exit(f"short of what is asked: {', '.join(short)}" if short else 0)
