"""netns.py - network namespaces, and what joins them: cables (veth), and wires whose faults are commanded
(uplink_wire.c). catch_net.py, tun_net.py and two_uplinks.py lay out more machines with it.

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
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x20000
MS_BIND, MS_REC_PRIVATE = 4096, 16384 | 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def wire_program():
    return os.path.join(os.path.dirname(os.path.abspath(tws_e2e.TWS)), "tests", "uplink_wire")


def can_make(*commands):
    """Whether namespaces can be made here, and each command works in one."""
    def works(*argv):
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0

    name = f"tws-try-{os.getpid()}"
    if not works("ip", "netns", "add", name):
        return False
    fine = all(works("ip", "netns", "exec", name, *command) for command in commands)
    ip("netns", "delete", name)
    return fine


needs_namespaces = unittest.skipUnless(can_make(), "network namespaces need root")
needs_wires = unittest.skipUnless(can_make() and os.access("/dev/net/tun", os.W_OK),
                                  "network namespaces and TUN devices need root")


def enter_file(file):
    if _libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {file.name}")


def enter(path):
    with open(path, "rb") as file:
        enter_file(file)


def own_mounts():
    """This process sees mounts of its own from now on."""
    if _libc.unshare(CLONE_NEWNS) != 0 or _libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def bind(what, where):
    if _libc.mount(what.encode(), where.encode(), None, MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {where}")


class Namespaces:
    """Machines of a test case, or of a contextlib.ExitStack, and gone with it. A method takes a machine by
    the role it was given or by the name of its namespace."""

    def __init__(self, case, *roles):
        self.cleanup = getattr(case, "addCleanup", None) or case.callback
        self.number = f"{os.getpid()}-{next(_numbers)}"
        self.names = {}
        for role in roles:
            self.add(role)

    def add(self, role):
        """Its namespace's name."""
        name = self.names[role] = f"tws-{role}-{self.number}"
        ip("netns", "add", name)
        self.cleanup(ip, "netns", "delete", name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def name(self, machine):
        return self.names.get(machine, machine)

    def address(self, machine, address, device):
        ip("-n", self.name(machine), "address", "add", address, "dev", device, *["nodad"] * (":" in address))

    def join(self, left, device, right, other, *pairs):
        """A cable. Each pair is an address of the left end and one of the right end."""
        ip("link", "add", device, "netns", self.name(left), "type", "veth", "peer", "name", other, "netns", self.name(right))
        for end, (machine, name) in enumerate(((left, device), (right, other))):
            for pair in pairs:
                self.address(machine, pair[end], name)
            ip("-n", self.name(machine), "link", "set", name, "up")

    def sysctl(self, machine, name, value):
        done = self.run(machine, "sysctl", "-qw", f"{name}={value}")
        if done.returncode != 0:
            raise AssertionError(f"{name}: {done.stderr}")

    def forward(self, machine):
        """It passes packets on from now on."""
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.sysctl(machine, name, 1)

    def run(self, machine, *argv, **more):
        """Runs a program on that machine: its CompletedProcess."""
        return subprocess.run(["ip", "netns", "exec", self.name(machine), *argv], capture_output=True, text=True,
                              check=False, **more)

    @contextlib.contextmanager
    def inside(self, machine):
        """This thread, what it starts and the sockets it makes are on that machine."""
        with open("/proc/thread-self/ns/net", "rb") as home:
            enter(f"/run/netns/{self.name(machine)}")
            try:
                yield
            finally:
                enter_file(home)


class Wire:
    """One uplink between the client's and the server's machine."""

    def __init__(self, net, index, name):
        self.device = f"wire-{name}"
        self.client, self.server = f"10.78.{index}.1", f"10.78.{index}.2"
        self.process = subprocess.Popen([wire_program(), net.client, self.device, net.server, self.device],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        net.cleanup(self.close)
        self._expect("ready")
        for namespace, address in ((net.client, self.client), (net.server, self.server)):
            net.address(namespace, f"{address}/24", self.device)
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


class Machines(Namespaces):
    """A client's and a server's namespace, where the server has an address that is on no wire."""
    server_address = SERVER

    def __init__(self, case):
        super().__init__(case, "client", "server")
        self.client, self.server, self.wires = self.names["client"], self.names["server"], []
        self.address("server", f"{self.server_address}/32", "lo")

    def wire(self, name, **faults):
        wire = Wire(self, len(self.wires) + 1, name)
        self.wires.append(wire)
        for fault, value in faults.items():
            wire.set(fault, value)
        return wire
