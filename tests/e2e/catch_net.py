"""catch_net.py - the machines of transparent forwarding, each a network namespace:

    behind ---- router ---- server ---- inside
    10.71.1.1   10.71.1.2   10.71.2.2   10.77.0.1, fd77::1
    fd71:1::1   10.71.2.1   fd71:2::2

The client runs on `router`, which is the way out for `behind`; only `server` knows the way to `inside`,
and forwards for nobody: what gets there came through the tunnel. NEAR and NEAR6 are addresses of
`server` itself, which `router` reaches without a tunnel too.

Also for the benches: Net(stack), with a contextlib.ExitStack in place of a test case.
Needs root."""
import contextlib
import itertools
import os
import subprocess
import unittest

import netns

INSIDE, INSIDE6 = "10.77.0.1", "fd77::1"
NEAR, NEAR6 = "10.77.0.9", "fd77::9"
SERVER, SERVER6 = "10.71.2.2", "fd71:2::2"
ROUTER, ROUTER6 = "10.71.2.1", "fd71:2::1"
NAMES = ("behind", "router", "server", "inside")
_numbers = itertools.count()


def can_make():
    """Whether there can be namespaces with devices between them, and rules in them."""
    name = f"tws-try-catch-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode != 0:
        return False
    commands = (["ip", "-n", name, "link", "add", "name", "one", "type", "veth", "peer", "name", "two"],
                ["ip", "netns", "exec", name, "nft", "add table inet probe; add chain inet probe nat "
                 "{ type nat hook output priority 0; }; add rule inet probe nat ct state new"])
    fine = all(subprocess.run(command, check=False, capture_output=True).returncode == 0 for command in commands)
    netns.ip("netns", "delete", name)
    return fine


needs_machines = unittest.skipUnless(can_make(), "network namespaces, veth and nftables need root and the kernel's help")


class Net:
    """`case` has addCleanup(), or is an ExitStack."""

    def __init__(self, case):
        self.cleanup = getattr(case, "addCleanup", None) or case.callback
        number = f"{os.getpid()}-{next(_numbers)}"
        self.names = {name: f"tws-{name}-{number}" for name in NAMES}
        for name in self.names.values():
            netns.ip("netns", "add", name)
            self.cleanup(netns.ip, "netns", "delete", name)
            netns.ip("-n", name, "link", "set", "lo", "up")
        for index, (left, right) in enumerate(zip(NAMES, NAMES[1:]), 1):
            self._wire(left, right, index)
        for name, addresses in (("server", (NEAR, NEAR6)), ("inside", (INSIDE, INSIDE6))):
            for address in addresses:
                self._address(name, address, "lo")
        self._route("behind", "default", 1, 2)
        self._route("router", "default", 2, 2)
        self._route("inside", "default", 3, 1)
        for address in ("10.77.0.0/24", "fd77::/64"):
            self._route("server", address, 3, 2)
        with self.inside("router"):
            for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                with open(f"/proc/sys/net/{setting}", "w", encoding="ascii") as file:
                    file.write("1")

    def _wire(self, left, right, index):
        one, two = self.names[left], self.names[right]
        netns.ip("-n", one, "link", "add", "name", f"wire-{index}", "type", "veth", "peer", "name", f"wire-{index}",
                 "netns", two)
        for name, last in ((left, 1), (right, 2)):
            for address in (f"10.71.{index}.{last}/24", f"fd71:{index}::{last}/64"):
                self._address(name, address, f"wire-{index}")
            netns.ip("-n", self.names[name], "link", "set", f"wire-{index}", "up")

    def _address(self, name, address, device):
        netns.ip("-n", self.names[name], "address", "add", address, "dev", device, *["nodad"] * (":" in address))

    def _route(self, name, target, index, last):
        families = ["-4", "-6"] if target == "default" else ["-6" if ":" in target else "-4"]
        for family in families:
            via = f"fd71:{index}::{last}" if family == "-6" else f"10.71.{index}.{last}"
            netns.ip(family, "-n", self.names[name], "route", "add", target, "via", via)

    @contextlib.contextmanager
    def inside(self, name):
        """This thread, what it starts, and the sockets it makes."""
        with open("/proc/thread-self/ns/net", "rb") as home:
            netns.enter(f"/run/netns/{self.names[name]}")
            try:
                yield
            finally:
                netns.enter_file(home)

    def run(self, name, *argv, **more):
        """Runs a program on that machine: its CompletedProcess."""
        return subprocess.run(["ip", "netns", "exec", self.names[name], *argv], capture_output=True, text=True,
                              check=False, **more)
