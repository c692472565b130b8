"""tun_net.py - machines for the tests of IP links: namespaces on one wire each to a middle, the server.

    net = Net(case)                 net.server, net.clients[0..1], net.inner: a host behind the server
    with net.inside(net.server): ...

Addresses: client i is 10.80.i.2 and the server 10.80.i.1 on their wire; the inner host is
10.80.100.2 and fd80:100::2, the server there 10.80.100.1 and fd80:100::1. A client's default route
leads to the server. Needs root."""
import ctypes
import itertools
import re
import subprocess

import netns

_numbers = itertools.count()
CLONE_NEWNS, MS_BIND, MS_REC_PRIVATE = 0x20000, 4096, 16384 | 1 << 18
INNER4, INNER6 = "10.80.100.2", "fd80:100::2"


def sysctl(namespace, name, value):
    subprocess.run(["ip", "netns", "exec", namespace, "sysctl", "-qw", f"{name}={value}"], check=True, capture_output=True)


def own_mounts():
    """This process sees mounts of its own from now on."""
    if netns._libc.unshare(CLONE_NEWNS) != 0 or netns._libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def bind(what, where):
    if netns._libc.mount(what.encode(), where.encode(), None, MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {where}")


class Net:
    inside = netns.Machines.inside

    def __init__(self, case, clients=1):
        number = f"{case.id().__hash__() & 0xffff:x}{next(_numbers)}"
        self.server, self.inner = f"tws-s{number}", f"tws-i{number}"
        self.clients = [f"tws-c{number}-{i}" for i in range(clients)]
        for name in (self.server, self.inner, *self.clients):
            netns.ip("netns", "add", name)
            case.addCleanup(netns.ip, "netns", "delete", name)
            sysctl(name, "net.ipv6.conf.default.accept_dad", 0)
            netns.ip("-n", name, "link", "set", "lo", "up")
        for i, client in enumerate(self.clients):
            self.join(client, "up0", f"10.80.{i}.2/24", self.server, f"down{i}", f"10.80.{i}.1/24")
            netns.ip("-n", client, "route", "add", "default", "via", f"10.80.{i}.1")
        self.join(self.inner, "out0", f"{INNER4}/24", self.server, "in0", "10.80.100.1/24")
        netns.ip("-n", self.inner, "address", "add", f"{INNER6}/64", "dev", "out0", "nodad")
        netns.ip("-n", self.server, "address", "add", "fd80:100::1/64", "dev", "in0", "nodad")
        netns.ip("-n", self.inner, "route", "add", "default", "via", "10.80.100.1")
        netns.ip("-n", self.inner, "-6", "route", "add", "default", "via", "fd80:100::1")
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sysctl(self.server, name, 1)

    @staticmethod
    def join(a, device_a, address_a, b, device_b, address_b):
        netns.ip("link", "add", device_a, "netns", a, "type", "veth", "peer", "name", device_b, "netns", b)
        for namespace, device, address in ((a, device_a, address_a), (b, device_b, address_b)):
            netns.ip("-n", namespace, "address", "add", address, "dev", device)
            netns.ip("-n", namespace, "link", "set", device, "up")


def state(namespace):
    """Everything that a process could have changed in a namespace's routing."""
    lines = []
    for arguments in (["rule"], ["-6", "rule"], ["route", "show", "table", "all"], ["-6", "route", "show", "table", "all"],
                      ["-brief", "address"], ["-brief", "link"]):
        shown = subprocess.run(["ip", "-n", namespace, *arguments], check=True, capture_output=True, text=True).stdout
        lines += sorted(re.sub(r" linkdown| +", " ", line).strip() for line in shown.splitlines())
    return lines


def ipv4_state(namespace):
    """The same of IPv4 alone, without what a device gets by itself when something uses it."""
    lines = []
    for arguments in (["rule"], ["route", "show", "table", "all"], ["-o", "address"], ["-o", "link"]):
        shown = subprocess.run(["ip", "-n", namespace, "-4", *arguments], check=True, capture_output=True, text=True).stdout
        lines += sorted(" ".join(re.sub(r"linkdown|<.*?>|state \w+", "", line).split()) for line in shown.splitlines())
    return lines
