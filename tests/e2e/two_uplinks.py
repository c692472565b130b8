"""two_uplinks.py - a machine with two ways out: two network namespaces joined by two veth pairs.

The client's namespace has the devices a0 (10.77.1.1) and b0 (10.77.2.1), the server's has their other
ends and the address 10.77.9.1, to which the client has a route by each device, a0's preferred. Needs
root."""
import subprocess

from netns import Machines, ip

SERVER = "10.77.9.1"


class TwoUplinks(Machines):
    """Made for a test case and gone with it."""
    server_address = SERVER

    def __init__(self, case):
        super().__init__(case)
        for index, device in enumerate("ab", 1):
            self.join("client", f"{device}0", "server", f"{device}1", (f"10.77.{index}.1/24", f"10.77.{index}.2/24"))
            self._route(index, device)
            ip("-n", self.client, "rule", "add", "from", f"10.77.{index}.1", "table", str(index))

    def _route(self, index, device):
        for more in (["metric", f"{index}00"], ["table", str(index)]):
            ip("-n", self.client, "route", "replace", SERVER, "via", f"10.77.{index}.2", "dev", f"{device}0", *more)

    def set_down(self, device):
        ip("-n", self.client, "link", "set", f"{device}0", "down")

    def set_up(self, device):
        """The kernel forgot the routes."""
        ip("-n", self.client, "link", "set", f"{device}0", "up")
        self._route("ab".index(device) + 1, device)

    def limit(self, rate):
        """Both ways of both uplinks; to be called once."""
        for name, end in ((self.client, "0"), (self.server, "1")):
            for device in "ab":
                subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", device + end, "root", "tbf",
                                "rate", rate, "burst", "64kb", "latency", "30ms"], check=True)

    def sent(self, device):
        """Bytes the client sent over a device so far."""
        with self.inside(self.client), open("/proc/thread-self/net/dev", encoding="ascii") as file:
            for line in file:
                name, _, counters = line.partition(":")
                if name.strip() == f"{device}0":
                    return int(counters.split()[8])
        raise AssertionError(f"no device {device}0")
