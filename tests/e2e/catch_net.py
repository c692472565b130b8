"""catch_net.py - the machines of transparent forwarding, each a network namespace:

    behind ---- router ---- server ---- inside
    10.71.1.1   10.71.1.2   10.71.2.2   10.77.0.1, fd77::1
    fd71:1::1   10.71.2.1   fd71:2::2

The client runs on `router`, which is the way out for `behind`; only `server` knows the way to `inside`,
and forwards for nobody: what gets there came through the tunnel. NEAR and NEAR6 are addresses of
`server` itself, which `router` reaches without a tunnel too.

Needs root."""
import unittest

from netns import Namespaces, can_make, ip

INSIDE, INSIDE6 = "10.77.0.1", "fd77::1"
NEAR, NEAR6 = "10.77.0.9", "fd77::9"
SERVER, SERVER6 = "10.71.2.2", "fd71:2::2"
ROUTER, ROUTER6 = "10.71.2.1", "fd71:2::1"
NAMES = ("behind", "router", "server", "inside")

can_catch = can_make(["ip", "link", "add", "name", "one", "type", "veth", "peer", "name", "two"],
                     ["nft", "add table inet probe; add chain inet probe nat { type nat hook output priority 0; }; "
                      "add rule inet probe nat ct state new"])
needs_machines = unittest.skipUnless(can_catch, "network namespaces, veth and nftables need root and the kernel's help")


class Net(Namespaces):
    def __init__(self, case):
        super().__init__(case, *NAMES)
        for index, (left, right) in enumerate(zip(NAMES, NAMES[1:]), 1):
            self.join(left, f"wire-{index}", right, f"wire-{index}", (f"10.71.{index}.1/24", f"10.71.{index}.2/24"),
                      (f"fd71:{index}::1/64", f"fd71:{index}::2/64"))
        for name, addresses in (("server", (NEAR, NEAR6)), ("inside", (INSIDE, INSIDE6))):
            for address in addresses:
                self.address(name, address, "lo")
        self._route("behind", "default", 1, 2)
        self._route("router", "default", 2, 2)
        self._route("inside", "default", 3, 1)
        for address in ("10.77.0.0/24", "fd77::/64"):
            self._route("server", address, 3, 2)
        self.forward("router")

    def _route(self, name, target, index, last):
        families = ["-4", "-6"] if target == "default" else ["-6" if ":" in target else "-4"]
        for family in families:
            via = f"fd71:{index}::{last}" if family == "-6" else f"10.71.{index}.{last}"
            ip(family, "-n", self.names[name], "route", "add", target, "via", via)
