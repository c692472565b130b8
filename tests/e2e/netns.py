"""netns.py - network namespaces, and wires between them whose faults are commanded (uplink_wire.c).

    net = Machines(case)                     two namespaces, net.client and net.server
    wire = net.wire("a", delay=20, rate=50)  devices wire-a in both, 10.78.1.1 and 10.78.1.2; by each
                                             wire the client reaches SERVER, by the first preferred
    wire.set("blackhole", 1)
    with net.inside(net.server): ...         this thread, what it starts, the sockets it makes

All goes when the test case is over. Needs root."""
import contextlib
import ctypes
import itertools
import os
import subprocess
import unittest

import tws_e2e

SERVER = "10.78.9.1"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def wire_program():
    return os.path.join(os.path.dirname(os.path.abspath(tws_e2e.TWS)), "tests", "uplink_wire")


def can_make():
    """Whether namespaces can be made here."""
    name = f"tws-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode != 0:
        return False
    ip("netns", "delete", name)
    return True


needs_namespaces = unittest.skipUnless(can_make(), "network namespaces need root")
needs_wires = unittest.skipUnless(can_make() and os.access("/dev/net/tun", os.W_OK),
                                  "network namespaces and TUN devices need root")


def enter_file(file):
    if _libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {file.name}")


def enter(path):
    with open(path, "rb") as file:
        enter_file(file)


class Wire:
    """One uplink between the client's and the server's machine."""

    def __init__(self, case, net, index, name):
        self.device = f"wire-{name}"
        self.client, self.server = f"10.78.{index}.1", f"10.78.{index}.2"
        self.process = subprocess.Popen([wire_program(), net.client, self.device, net.server, self.device],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.close)
        self._expect("ready")
        for namespace, address in ((net.client, self.client), (net.server, self.server)):
            ip("-n", namespace, "address", "add", f"{address}/24", "dev", self.device)
            ip("-n", namespace, "link", "set", self.device, "up")
        for more in (["metric", f"{index}00"], ["table", str(index)]):
            ip("-n", net.client, "route", "add", SERVER, "via", self.server, "dev", self.device, *more)
        ip("-n", net.client, "rule", "add", "from", self.client, "table", str(index))

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=tws_e2e.WAIT)
        self.process.stdout.close()

    def _expect(self, answer):
        line = self.process.stdout.readline().strip()
        if line != answer:
            raise AssertionError(f"{self.device} said {line!r}")

    def set(self, name, value, ways="ab"):
        """delay in ms, rate in Mbit/s (0: unlimited), queue in bytes, loss in percent, blackhole 0 or 1;
        "a" is the way to the server."""
        for way in ways:
            self.process.stdin.write(f"{way} {name} {value}\n")
            self.process.stdin.flush()
            self._expect("ok")

    def count(self, way):
        """(packets carried, packets dropped) that way so far."""
        self.process.stdin.write(f"{way} count\n")
        self.process.stdin.flush()
        carried, dropped = self.process.stdout.readline().split()
        return int(carried), int(dropped)


class Machines:
    """A client's and a server's namespace, where the server has an address that is on no wire."""
    server_address = SERVER

    def __init__(self, case):
        number = f"{os.getpid()}-{next(_numbers)}"
        self.case, self.wires = case, []
        self.client, self.server = f"tws-c{number}", f"tws-s{number}"
        for name in (self.client, self.server):
            ip("netns", "add", name)
            case.addCleanup(ip, "netns", "delete", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.server, "address", "add", f"{self.server_address}/32", "dev", "lo")

    def wire(self, name, **faults):
        wire = Wire(self.case, self, len(self.wires) + 1, name)
        self.wires.append(wire)
        for fault, value in faults.items():
            wire.set(fault, value)
        return wire

    @contextlib.contextmanager
    def inside(self, name):
        """This thread, what it starts and the sockets it makes are in that namespace."""
        with open("/proc/thread-self/ns/net", "rb") as home:
            enter(f"/run/netns/{name}")
            try:
                yield
            finally:
                enter_file(home)
