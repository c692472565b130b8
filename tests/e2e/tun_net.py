"""tun_net.py - machines for the tests of IP links: namespaces on one wire each to a middle, the server.

    net = Net(case)                 net.server, net.clients[0..1], net.inner: a host behind the server
    with net.inside(net.server): ...

Addresses: client i is 10.80.i.2 and the server 10.80.i.1 on their wire; the inner host is
10.80.100.2 and fd80:100::2, the server there 10.80.100.1 and fd80:100::1. A client's default route
leads to the server. Needs root."""
import re
import subprocess

from netns import Namespaces, ip

INNER4, INNER6 = "10.80.100.2", "fd80:100::2"


class Net(Namespaces):
    def __init__(self, case, clients=1):
        super().__init__(case, "server", "inner", *(f"client{i}" for i in range(clients)))
        self.server, self.inner, *self.clients = self.names.values()
        for name in self.names:
            self.sysctl(name, "net.ipv6.conf.default.accept_dad", 0)
        for i, client in enumerate(self.clients):
            self.join(client, "up0", "server", f"down{i}", (f"10.80.{i}.2/24", f"10.80.{i}.1/24"))
            ip("-n", client, "route", "add", "default", "via", f"10.80.{i}.1")
        self.join("inner", "out0", "server", "in0", (f"{INNER4}/24", "10.80.100.1/24"), (f"{INNER6}/64", "fd80:100::1/64"))
        for gateway in ("10.80.100.1", "fd80:100::1"):
            ip("-n", self.inner, "-6" if ":" in gateway else "-4", "route", "add", "default", "via", gateway)
        self.forward("server")


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
