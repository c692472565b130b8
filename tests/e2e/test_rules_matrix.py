"""User, way and target: no way is open that the rules close.

Each service notes who reached it by which way, so what counts is what arrived, not what was answered. A
cell that is open has to arrive too, or a tunnel that does nothing would pass."""
import concurrent.futures
import itertools
import os
import re
import socket
import struct
import subprocess
import threading
import time

import netns
import tun_net
import tws_e2e
from tws_e2e import WAIT, Case, free_port, is_listening, needs, read_exactly, wait_until, yaml

PATIENCE = WAIT  # for an answer that will come; those that will not are seen by their end
SILENCE = 0.5   # for datagrams, whose refusal nobody tells

# What each user may reach: rules, then services by their names below, over TCP, over UDP, by path. P and Q are the
# services' ports.
USERS = {
    "nobody": ([], "", "", ""),
    "four": (["127.0.0.1:P"], "4P", "4P", ""),
    "six": (["[::1]:P"], "6P", "6P", ""),
    "named": (["localhost:P"], "localhost", "localhost", ""),
    "tcp": (["tcp/127.0.0.0/8"], "4P 4Q other", "", ""),
    "udp": (["udp/127.0.0.0/8"], "", "4P 4Q other", ""),
    "mapped": (["::ffff:127.0.0.0/104"], "4P 4Q other", "4P 4Q other", ""),
    "path": (["unix:DIR/a*"], "", "", "A"),
    "star": (["*"], "4P 4Q 6P other", "4P 4Q 6P other", ""),
    "all4": (["0.0.0.0/0"], "4P 4Q other", "4P 4Q other", ""),
    "range": (["127.0.0.1:RANGE"], "4P", "4P", ""),
}
SERVICES = {"4P": ("127.0.0.1", "P"), "4Q": ("127.0.0.1", "Q"), "6P": ("::1", "P"), "other": ("127.0.0.2", "P")}
# Every spelling of a target, and the service it surely means (localhost may also be ::1). MAYBE are spellings that a resolver may or may not
# take, and addresses that no rule here names.
TARGETS = {
    ("127.0.0.1", "P"): "4P", ("127.0.0.1", "Q"): "4Q", ("127.0.0.2", "P"): "other", ("::1", "P"): "6P",
    ("::ffff:127.0.0.1", "P"): "4P", ("::ffff:127.0.0.2", "P"): "other", ("localhost", "P"): "4P",
    ("localhost", "Q"): "4Q",
}
MAYBE = [("2130706433", "P"), ("0x7f000001", "P"), ("127.1", "Q"), ("LOCALHOST.", "Q"), ("0.0.0.0", "P"), ("::", "P"),
         ("::ffff:0.0.0.0", "P"), ("localhost.localdomain", "P")]
# On a machine of its own there are addresses of special kinds too, and names for all of them.
OWN_MACHINE = netns.can_make()
if OWN_MACHINE:
    NAMES = {"a.wild.test": "127.0.0.1", "b.wild.test": "127.0.0.2", "six.wild.test": "::1", "link.wild.test": "169.254.9.9",
             "many.wild.test": "224.1.1.9", "zero.wild.test": "0.0.0.0", "mapped.wild.test": "::ffff:127.0.0.2",
             "link6.wild.test": "fe80::9"}
    USERS.update({
        "wild": (["*.wild.test:P"], "wild", "wild", ""),
        "link": (["169.254.0.0/16:P"], "link", "link", ""),
        "link6": (["[fe80::/10]:P"], "link6", "link6", ""),
        "all6": (["::/0"], "6P", "6P", ""),
        "many": (["udp/224.0.0.0/4"], "", "many", ""),
    })
    SERVICES.update({"link": ("169.254.9.9", "P"), "link6": ("fe80::9%lo", "P"), "many": ("224.1.1.9", "P")})
    TARGETS.update({("a.wild.test", "P"): "4P", ("b.wild.test", "P"): "other", ("a.wild.test", "Q"): "4Q",
                    ("169.254.9.9", "P"): "link", ("fe80::9", "P"): "link6", ("224.1.1.9", "P"): "many", ("link.wild.test", "P"): "link",
                    ("many.wild.test", "P"): "many"})
    MAYBE += [("zero.wild.test", "P"), ("mapped.wild.test", "P"), ("six.wild.test", "P"), ("link6.wild.test", "P")]
# Rules for names: how those end, and what they may lead to.
BY_NAME = {"localhost": ("localhost", "4P 6P"), "wild": (".wild.test", "4P 6P other")}
PATHS = {"a.sock": "A", "b.sock": "B", "a.d/../b.sock": "B", "a.d/../a.sock": "A", "a.d/c.sock": "C", ".//b.sock": "B"}


class Arrivals:
    """Services that note the label of each request."""

    def __init__(self, case):
        self.noted, self.lock = set(), threading.Lock()
        self.ports = {"P": free_port(), "Q": free_port()}
        for name, (host, port) in SERVICES.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            place = socket.getaddrinfo(host, self.ports[port])[0][4]
            if name != "many":
                case.addCleanup(self.listen(name, socket.create_server(place, family=family)))
            case.addCleanup(self.hear(name, family, place))
        os.mkdir(f"{case.folder}/a.d")
        for path, name in (("a.sock", "A"), ("b.sock", "B"), ("a.d/c.sock", "C")):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{case.folder}/{path}")
            listener.listen(64)
            case.addCleanup(self.listen(name, listener))

    def note(self, name, request):
        label = re.search(rb"label=([^ ;]+);", request)
        with self.lock:
            self.noted.add((name, *label.group(1).decode().split(",")))

    def listen(self, name, listener):
        def serve(peer):
            with peer:
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = peer.recv(4096)
                    if not piece:
                        return
                    request += piece
                self.note(name, request)
                peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nhere")

        def accept():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(peer,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        return listener.close

    def hear(self, name, family, address):
        peer = socket.socket(family, socket.SOCK_DGRAM)
        peer.bind(address)
        if name == "many":
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(address[0]) + socket.inet_aton("127.0.0.1"))

        def run():
            while True:
                try:
                    data, source = peer.recvfrom(2048)
                    self.note(name, data)
                    peer.sendto(data, source)
                except OSError:
                    return
        threading.Thread(target=run, daemon=True).start()
        return peer.close


# ---- the ways: each says whether somebody answered ----

def talk(peer, label):
    peer.sendall(f"GET /label={label}; HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    return read_exactly(peer, 15)[:7] == b"HTTP/1."


def dial(port, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0))


def socks_target(host, port, as_name):
    """The address as its kind of bytes, or spelled as a name."""
    for family, kind in ((socket.AF_INET, 1), (socket.AF_INET6, 4)):
        try:
            packed = socket.inet_pton(family, host)
        except OSError:
            continue
        if not as_name:
            return struct.pack(">B", kind) + packed + struct.pack(">H", port)
    return struct.pack(">BB", 3, len(host)) + host.encode() + struct.pack(">H", port)


def socks_request(peer, command, target):
    peer.sendall(b"\5\1\0")
    read_exactly(peer, 2)
    peer.sendall(bytes([5, command, 0]) + target)
    if read_exactly(peer, 2)[1] != 0:
        raise ConnectionError("refused")
    kind = read_exactly(peer, 2)[1]
    return read_exactly(peer, {1: 4, 4: 16}[kind] + 2)


def by_forward(ports, host, port, label):
    with dial(ports["tcp", host, port]) as peer:
        return talk(peer, label)


def by_socks(ports, host, port, label, as_name=False, source="127.0.0.1"):
    with dial(ports["proxy"], source) as peer:
        socks_request(peer, 1, socks_target(host, ports[port], as_name))
        return talk(peer, label)


def by_socks_name(ports, host, port, label):
    return by_socks(ports, host, port, label, as_name=True)


def by_socks4a(ports, host, port, label):
    with dial(ports["proxy"]) as peer:
        peer.sendall(struct.pack(">BBHI", 4, 1, ports[port], 1) + b"\0" + host.encode() + b"\0")
        return read_exactly(peer, 8)[1] == 90 and talk(peer, label)


def by_proxy_header(ports, host, port, label):
    with dial(ports["proxy"], "127.0.0.8") as peer:
        peer.sendall(b"PROXY TCP4 192.0.2.1 127.0.0.1 5 6\r\n")
        socks_request(peer, 1, socks_target(host, ports[port], False))
        return talk(peer, label)


def by_spoof(ports, host, port, label):
    return by_socks(ports, host, port, label, source="127.0.0.10")


def by_device(ports, host, port, label):
    return by_socks(ports, host, port, label, source="127.0.0.11")


def by_reverse_proxy(ports, host, port, label):
    with dial(ports["reverse"]) as peer:
        socks_request(peer, 1, socks_target(host, ports[port], False))
        return talk(peer, label)


def by_stdio(ports, host, port, label):
    done = subprocess.run([tws_e2e.TWS, "client", "--config", ports["config"], "-W", at(host, ports[port])],
                          input=f"GET /label={label}; HTTP/1.1\r\n\r\n".encode(), capture_output=True, check=False, timeout=3 * WAIT)
    return done.stdout.startswith(b"HTTP/1.")


def by_upstream_proxy(ports, host, port, label):
    return by_socks(ports, host, port, label, source="127.0.0.9")


def by_upstream_proxy_name(ports, host, port, label):
    return by_socks(ports, host, port, label, as_name=True, source="127.0.0.9")


def at(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def by_connect(ports, host, port, label):
    with dial(ports["proxy"]) as peer:
        peer.sendall(f"CONNECT {at(host, ports[port])} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(peer, 1)
        return head.split()[1] == b"200" and talk(peer, label)


def by_http(ports, host, port, label):
    with dial(ports["proxy"]) as peer:
        peer.sendall(f"GET http://{at(host, ports[port])}/label={label}; HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                     .encode())
        return read_exactly(peer, 12).split()[1] == b"200"


def by_unix_forward(ports, path, _, label):
    with dial(ports["unix", path]) as peer:
        return talk(peer, label)


def datagram(label):
    """What the service sends back, or it is a late answer to who had the port before."""
    return f"label={label};".encode()


def talk_udp(to, head, label, is_due, source="127.0.0.1"):
    """A datagram may be lost, and its answer late: it is sent again as long as an answer is due."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(SILENCE)
        peer.bind((source, 0))
        while True:
            peer.sendto(head + datagram(label), ("127.0.0.1", to))
            try:
                return peer.recv(300).endswith(datagram(label))
            except TimeoutError:
                if not is_due():
                    return False


def by_udp_forward(ports, host, port, label, is_due):
    return talk_udp(ports["udp", host, port], b"", label, is_due)


def by_socks_udp(ports, host, port, label, is_due, as_name=False, source="127.0.0.1"):
    with dial(ports["proxy"], source) as control:
        bound = socks_request(control, 3, b"\1\0\0\0\0\0\0")
        return talk_udp(struct.unpack(">H", bound[-2:])[0], b"\0\0\0" + socks_target(host, ports[port], as_name), label, is_due,
                        source)


def by_socks_udp_name(ports, host, port, label, is_due):
    return by_socks_udp(ports, host, port, label, is_due, as_name=True)


def by_device_udp(ports, host, port, label, is_due):
    return by_socks_udp(ports, host, port, label, is_due, source="127.0.0.11")


TCP = {way.__name__: way for way in (by_forward, by_socks, by_socks_name, by_socks4a, by_upstream_proxy,
                                     by_upstream_proxy_name, by_connect, by_http, by_proxy_header, by_spoof,
                                     by_device, by_reverse_proxy, by_stdio)}
UDP = {way.__name__: way for way in (by_udp_forward, by_socks_udp, by_socks_udp_name, by_device_udp)}
FORWARDS = ("by_forward", "by_udp_forward")  # their targets are in the client's file
STDIO = (("127.0.0.1", "P"), ("::1", "P"), ("localhost", "Q"))  # each is a process
# Those by which and by whom only the plain spellings are tried.
ALIKE = ("nobody", "six", "path", "all4", "all6", "range", "many", "link6")
OFTEN_ENOUGH = (*FORWARDS, "by_proxy_header", "by_spoof", "by_device", "by_device_udp", "by_reverse_proxy", "by_stdio")


def may_arrive_at(allowed, host, port):
    if allowed not in BY_NAME:
        return set(allowed.split())
    ending, services = BY_NAME[allowed]
    return set(services.split()) if port == "P" and host.lower().rstrip(".").endswith(ending) else set()


def may_fail(way, user, host):
    """The upstream proxy knows none of our names, a client has to have the address family it spoofs, and only who is
    bound to a device knows on which of them a link-local address of IPv6 is."""
    if host == "fe80::9":
        return not way.startswith("by_device")
    if way.startswith("by_upstream"):
        return user == "wild"
    return way == "by_spoof" and (":" in host and "." not in host or host in ("localhost", "169.254.9.9", "link.wild.test"))


class Matrix(Case):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.limits = None
        if OWN_MACHINE:
            self.move_to_own_machine()
        self.arrivals = Arrivals(self)
        while abs(self.arrivals.ports["P"] - self.arrivals.ports["Q"]) < 3:
            self.arrivals = Arrivals(self)

    def move_to_own_machine(self):
        """This thread, all that it starts, and for the programs a hosts file."""
        machine = netns.Machines(self)
        self.enterContext(machine.inside("server"))
        netns.ip("address", "add", "169.254.9.9/32", "dev", "lo")
        netns.ip("address", "add", "fe80::9/64", "dev", "lo", "nodad")
        netns.ip("link", "set", "lo", "multicast", "on")
        netns.ip("route", "add", "224.0.0.0/4", "dev", "lo")
        hosts = self.write("hosts", "127.0.0.1 localhost\n" +
                           "".join(f"{address} {name}\n" for name, address in NAMES.items()), mode=0o644)

        def become():
            netns.own_mounts()
            netns.bind(hosts, "/etc/hosts")
        self.limits = become

    def spell(self, rule):
        low = self.arrivals.ports["P"]
        rule = rule.replace("RANGE", f"{low - 1}-{low + 1}")
        for name, port in self.arrivals.ports.items():
            rule = re.sub(rf"\b{name}$", str(port), rule)
        return rule.replace("DIR", self.folder)

    def start_proxy(self):
        port = free_port()
        process = self.start("microsocks", ["microsocks", "-i", "127.0.0.1", "-p", str(port)])
        process.expected = (0, -15)
        wait_until(lambda: is_listening(port), "microsocks listens")
        return port

    def start_server(self):
        self.port, users, self.keys, self.reverse = free_port(), [], {}, {}
        for user, (rules, *_) in USERS.items():
            self.keys[user], key = self.keygen(user)
            self.reverse[user] = free_port()
            users.append({"name": user, "key": key, "allow": [self.spell(rule) for rule in rules],
                          "listen": [f"127.0.0.1:{self.reverse[user]}"]})
        keys = self.write("keys.yaml", yaml({"users": users}) + "\n")
        via = f"socks5h://127.0.0.1:{self.start_proxy()}"
        config = self.write("server.yaml", yaml({"listen": f"127.0.0.1:{self.port}", "keys_file": keys, "connect_timeout": "2s",
                                                 "egress": [{"from": ["127.0.0.9"], "to": ["tcp/*"], "via": via},
                                                            {"from": ["127.0.0.10"], "spoof": OWN_MACHINE},
                                                            {"from": ["127.0.0.11"], "bind": "lo"}]}) + "\n")
        self.start_tws("server", "server", "--config", config, limits=self.limits).wait_ready()

    def start_client(self, user):
        """Every way in that a client has; ports by what they are for."""
        ports = {"proxy": free_port(), **self.arrivals.ports}
        forwards = [{"kind": "proxy", "listen": f"127.0.0.1:{ports['proxy']}", "trusted": ["127.0.0.8"]}]
        ports["reverse"] = self.reverse[user]
        rules = [self.spell(rule) for rule in USERS[user][0]]
        if rules:
            forwards.append({"kind": "proxy", "reverse": True, "listen": f"127.0.0.1:{ports['reverse']}", "allow": rules})
        for host, port in TARGETS:
            for kind in ("tcp", "udp"):
                ports[kind, host, port] = free_port()
                forwards.append({"kind": kind, "listen": f"127.0.0.1:{ports[kind, host, port]}",
                                 "remote": at(host, self.arrivals.ports[port])})
        for path in PATHS:
            ports["unix", path] = free_port()
            forwards.append({"listen": f"127.0.0.1:{ports['unix', path]}", "remote": f"unix:{self.folder}/{path}"})
        config = self.write(f"{user}.yaml", yaml({"server": f"ws://127.0.0.1:{self.port}/tws", "key_file": self.keys[user],
                                                  "connections": 1, "forwards": forwards}) + "\n")
        ports["config"] = config
        return self.start_tws(f"client-{user}", "client", "--config", config, limits=self.limits), ports

    def cells(self):
        """(user, way, function, target's two parts, the services it may arrive at, whether it has to)."""
        for user, (_, tcp, udp, unix) in USERS.items():
            for ways, allowed in ((TCP, tcp), (UDP, udp)):
                for name, way in ways.items():
                    for target in [*TARGETS, *(() if name in OFTEN_ENOUGH or user in ALIKE else MAYBE)]:
                        if name == "by_stdio" and target not in STDIO:
                            continue
                        means = TARGETS.get(target, "").split()
                        may = may_arrive_at(allowed, *target)
                        yield user, name, way, target, may, bool(may & set(means)) and not may_fail(name, user, target[0])
            for path, means in PATHS.items():
                plain = path == "a.sock"
                yield user, "by_unix_forward", by_unix_forward, (path, ""), set(unix.split()), plain and means == unix

    def attempt(self, cell):
        user, name, way, (host, port), _, must = cell
        label = f"{user},{name},{host.replace('/', '|')},{port}"

        noted_by_group = ("many", *label.split(","))  # which answers by other addresses
        deadline = time.monotonic() + WAIT

        def is_due():
            return must and noted_by_group not in self.arrivals.noted and time.monotonic() < deadline
        try:
            return way(self.ports[user], host, port, label, *([is_due] if name in UDP else []))
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            return False

    @needs("microsocks")
    def test_no_way_is_open_that_the_rules_close(self):
        self.start_server()
        clients = {user: self.start_client(user) for user in USERS}
        self.ports = {user: ports for user, (_, ports) in clients.items()}
        for user, (client, _) in clients.items():
            client.wait_ready()
            if USERS[user][0]:
                client.wait_log("reverse listening")
        cells = list(self.cells())
        with concurrent.futures.ThreadPoolExecutor(256) as pool:
            answered = list(pool.map(self.attempt, cells))
        closed, missing = [], []
        for (user, name, _, (host, port), may, must), answer in zip(cells, answered):
            arrived = {service for service, *label in self.arrivals.noted
                       if label == [user, name, host.replace("/", "|"), port]}
            if arrived - may:
                closed.append(f"{user} {name} {host} {port}: arrived at {arrived - may}")
            if answer and not arrived:
                closed.append(f"{user} {name} {host} {port}: somebody else answered")
            if must and not (arrived and (answer or "many" in arrived)):
                missing.append(f"{user} {name} {host} {port}: expected at {may}")
        self.assertEqual(closed, [])
        self.assertEqual(missing, [])
        self.assertGreater(sum(answered), 100)
        self.assertGreater(len(cells) - sum(answered), 500)


# Where each user may have the server listen: rules, then which of PLACES are open.
LISTENERS = {
    "nobody": ([], ""),
    "one": (["127.0.0.1:1024-65535"], "four udp"),
    "net": (["127.0.0.0/8:1024-65535"], "four other udp"),
    "six": (["[::1]:1024-65535"], "six"),
    "every": (["0.0.0.0/0"], "four other any4 udp"),
    "low": (["127.0.0.1:1-1023"], ""),
    "udp": (["udp/127.0.0.0/8"], "udp"),
    "path": (["unix:DIR/*"], "sock"),
}
PLACES = {"four": "127.0.0.1", "other": "127.0.0.2", "six": "::1", "any4": "0.0.0.0", "any": "::", "udp": "127.0.0.1",
          "sock": "unix:DIR/sock", "beside": "unix:DIR/../beside"}


def is_taken(place, spot):
    """Whether somebody listens there."""
    if spot.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as peer:
            return peer.connect_ex(spot[5:]) == 0
    port = int(spot.rpartition(":")[2])
    if place != "udp":
        return is_listening(port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        try:
            peer.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Listening(Case):
    def test_the_server_listens_only_where_the_rules_let_a_user(self):
        server_port, users, keys = free_port(), [], {}
        for user, (rules, _) in LISTENERS.items():
            keys[user], key = self.keygen(user)
            folder = os.path.join(self.folder, user)
            os.mkdir(folder)
            users.append({"name": user, "key": key, "allow": ["*"], "listen": [rule.replace("DIR", folder) for rule in rules]})
        keys_file = self.write("keys.yaml", yaml({"users": users}) + "\n")
        self.start_tws("server", "server", "--config", self.write("server.yaml", yaml(
            {"listen": f"127.0.0.1:{server_port}", "keys_file": keys_file}) + "\n")).wait_ready()
        clients = {}
        for user in LISTENERS:
            spots = {place: host.replace("DIR", f"{self.folder}/{user}") if "DIR" in host else at(host, free_port())
                     for place, host in PLACES.items()}
            forwards = [{"reverse": True, "kind": "udp" if place == "udp" else "tcp", "listen": spot, "remote": "127.0.0.1:9"}
                        for place, spot in spots.items()]
            clients[user] = spots, self.start_tws(f"client-{user}", "client", "--config", self.write(f"{user}.yaml", yaml(
                {"server": f"ws://127.0.0.1:{server_port}/tws", "key_file": keys[user], "connections": 1,
                 "forwards": forwards}) + "\n"))
        for user, (_, open_places) in LISTENERS.items():
            spots, client = clients[user]
            for place, spot in spots.items():
                is_open = place in open_places.split()
                with self.subTest(user=user, place=place):
                    shown = re.escape(spot[5:]) if spot.startswith("unix:") else spot.rpartition(":")[2]
                    client.wait_log(rf"reverse (listening|forward refused) .*listen=\S+:{shown} ", timeout=WAIT)
                    self.assertEqual(is_taken(place, spot), is_open)


# ---- packets, and connections that the kernel catches ----

# Rules, then what they open over TCP and over UDP: addresses by family, with port 7000 or 7001.
CAUGHT = {
    "nobody": ([], "", ""),
    "four": (["10.80.100.2:7000", "10.80.101.2:7000", "10.80.102.2:7000"], "4:7000", "4:7000"),
    "six": (["fd80:100::/30"], "6:7000 6:7001", "6:7000 6:7001"),
    "tcp": (["tcp/0.0.0.0/0"], "4:7000 4:7001", ""),
    "udp": (["udp/*:7001"], "", "4:7001 6:7001"),
}
# By the network that the client sends there by its TUN or catches.
HOSTS = {"tun": {4: "10.80.100.2", 6: "fd80:100::2"}, "transparent": {4: "10.80.101.2", 6: "fd80:101::2"},
         "tproxy": {4: "10.80.102.2", 6: "fd80:102::2"}}


def is_open(user, _, kind, family, port):
    return f"{family}:{port}" in CAUGHT[user][1 if kind == "tcp" else 2].split()


@netns.needs_wires
class Caught(Case):
    """A machine for each user; behind the server a host that notes who comes."""

    def setUp(self):
        super().setUp()
        self.net = tun_net.Net(self, len(CAUGHT))
        self.noted = set()
        for number, (host, device, machine) in itertools.product(
                (101, 102), (("2", "out0", self.net.inner), ("1", "in0", self.net.server))):
            self.net.address(machine, f"10.80.{number}.{host}/24", device)
            self.net.address(machine, f"fd80:{number}::{host}/64", device)
        with self.net.inside(self.net.inner):
            for hosts, port in itertools.product(HOSTS.values(), (7000, 7001)):
                for family, host in hosts.items():
                    self.serve(family, host, port)
        self.start_all()

    def serve(self, family, host, port):
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        listener, hearer = socket.create_server((host, port), family=kind), socket.socket(kind, socket.SOCK_DGRAM)
        hearer.bind((host, port))

        def accept():
            while True:
                try:
                    peer, _ = listener.accept()
                    with peer:
                        peer.settimeout(1)
                        self.noted.add(("tcp", f"{family}:{port}", *peer.recv(100).decode().split(",")))
                        peer.sendall(b"here")
                except socket.timeout:
                    continue
                except OSError:
                    return

        def hear():
            while True:
                try:
                    data, source = hearer.recvfrom(100)
                    self.noted.add(("udp", f"{family}:{port}", *data.decode().split(",")))
                    hearer.sendto(b"here", source)
                except (OSError, TypeError):  # closed, before or while it waits
                    return
        for run in (accept, hear):
            threading.Thread(target=run, daemon=True).start()
        self.addCleanup(listener.close)
        self.addCleanup(hearer.close)

    def start_all(self):
        users, keys, port = [], {}, free_port()
        for user, (rules, *_) in CAUGHT.items():
            keys[user], key = self.keygen(user)
            users.append({"name": user, "key": key, "allow": rules, "tun": ["pool"]})
        keys_file = self.write("keys.yaml", yaml({"users": users}) + "\n")
        with self.net.inside(self.net.server):
            self.start_tws("server", "server", "--config", self.write("server.yaml", yaml(
                {"listen": f"*:{port}", "keys_file": keys_file,
                 "tun": {"device": "tun-s", "address": ["10.9.0.1/24", "fd09::1/64"]}}) + "\n")).wait_ready()
        for i, user in enumerate(CAUGHT):
            forwards = [{"kind": "tun", "device": "tun-c", "routes": ["10.80.100.0/24", "fd80:100::/64"]},
                        {"kind": "transparent", "listen": f":{free_port()}", "local": True,
                         "networks": ["10.80.101.0/24", "fd80:101::/64"]},
                        {"kind": "transparent", "tproxy": True, "networks": ["10.80.102.0/24", "fd80:102::/64"]}]
            self.net.address(self.net.clients[i], f"fd80:{i}::2/64", "up0")
            for number in (101, 102):
                netns.ip("-n", self.net.clients[i], "-6", "route", "add", f"fd80:{number}::/64", "dev", "up0")
            with self.net.inside(self.net.clients[i]):
                client = self.start_tws(f"client-{user}", "client", "--config", self.write(f"{user}.yaml", yaml(
                    {"server": f"ws://10.80.{i}.1:{port}/tws", "key_file": keys[user], "encrypt": "off", "connections": 1,
                     "forwards": forwards}) + "\n"))
            client.wait_log("tun open")
            client.wait_ready()

    def attempt(self, cell):
        """Again and again where an answer is due: a datagram may be lost."""
        deadline = time.monotonic() + (WAIT if is_open(*cell) else 0)
        while not (answered := self.ask(cell)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return answered

    def ask(self, cell):
        user, way, kind, family, port = cell
        label = f"{user},{way}".encode()
        with self.net.inside(self.net.clients[list(CAUGHT).index(user)]):
            peer = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6,
                                 socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        with peer:
            peer.settimeout(1.5)
            try:
                peer.connect((HOSTS[way][family], port))
                peer.sendall(label)
                return peer.recv(4) == b"here"
            except OSError:
                return False

    @needs("nft")
    def test_packets_and_caught_connections_go_only_where_the_rules_let_a_user(self):
        cells = [cell for cell in itertools.product(CAUGHT, HOSTS, ("tcp", "udp"), (4, 6), (7000, 7001))
                 if cell[1:3] != ("transparent", "udp")]  # caught by tproxy only
        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            answered = list(pool.map(self.attempt, cells))
        for cell, answer in zip(cells, answered):
            user, way, kind, family, port = cell
            with self.subTest(user=user, way=way, kind=kind, target=f"{family}:{port}"):
                self.assertEqual((kind, f"{family}:{port}", user, way) in self.noted, is_open(*cell))
                self.assertEqual(answer, is_open(*cell))
