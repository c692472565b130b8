"""User, way and target: no way is open that the rules close.

Each service notes who reached it by which way, so what counts is what arrived, not what was answered. A
cell that is open has to arrive too, or a tunnel that does nothing would pass."""
import concurrent.futures
import itertools
import os
import re
import socket
import struct
import threading
import unittest

import netns
import tun_net
from tws_e2e import WAIT, Case, free_port, is_listening, needs, read_exactly, wait_until, yaml

PATIENCE = 5.0  # for an answer that will come; those that will not are seen by their end
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
PATHS = {"a.sock": "A", "b.sock": "B", "a.d/../b.sock": "B", "a.d/../a.sock": "A", "a.d/c.sock": "C", ".//b.sock": "B"}


class Arrivals:
    """Services that note the label of each request."""

    def __init__(self, case):
        self.noted, self.lock = set(), threading.Lock()
        self.ports = {"P": free_port(), "Q": free_port()}
        for name, (host, port) in SERVICES.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            case.addCleanup(self.listen(name, socket.create_server((host, self.ports[port]), family=family)))
            case.addCleanup(self.hear(name, family, (host, self.ports[port])))
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

        def run():
            while True:
                try:
                    data, source = peer.recvfrom(2048)
                    self.note(name, data)
                    peer.sendto(b"here", source)
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
    return f"label={label};".encode()


def by_udp_forward(ports, host, port, label):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(SILENCE)
        peer.sendto(datagram(label), ("127.0.0.1", ports["udp", host, port]))
        return peer.recv(100) == b"here"


def by_socks_udp(ports, host, port, label, as_name=False):
    with dial(ports["proxy"]) as control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        bound = socks_request(control, 3, b"\1\0\0\0\0\0\0")
        peer.settimeout(SILENCE)
        peer.sendto(b"\0\0\0" + socks_target(host, ports[port], as_name) + datagram(label),
                    ("127.0.0.1", struct.unpack(">H", bound[-2:])[0]))
        return peer.recv(300).endswith(b"here")


def by_socks_udp_name(ports, host, port, label):
    return by_socks_udp(ports, host, port, label, as_name=True)


TCP = {way.__name__: way for way in (by_forward, by_socks, by_socks_name, by_socks4a, by_upstream_proxy,
                                     by_upstream_proxy_name, by_connect, by_http)}
UDP = {way.__name__: way for way in (by_udp_forward, by_socks_udp, by_socks_udp_name)}
FORWARDS = ("by_forward", "by_udp_forward")  # their targets are in the client's file


class Matrix(Case):
    def setUp(self):
        super().setUp()
        self.arrivals = Arrivals(self)

    def spell(self, rule):
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
        self.port, users, self.keys = free_port(), [], {}
        for user, (rules, *_) in USERS.items():
            self.keys[user], key = self.keygen(user)
            users.append({"name": user, "key": key, "allow": [self.spell(rule) for rule in rules]})
        keys = self.write("keys.yaml", yaml({"users": users}) + "\n")
        via = f"socks5h://127.0.0.1:{self.start_proxy()}"
        config = self.write("server.yaml", yaml({"listen": f"127.0.0.1:{self.port}", "keys_file": keys, "connect_timeout": "2s",
                                                 "egress": [{"from": ["127.0.0.9"], "to": ["tcp/*"], "via": via}]}) + "\n")
        self.start_tws("server", "server", "--config", config).wait_ready()

    def start_client(self, user):
        """Every way in that a client has; ports by what they are for."""
        ports = {"proxy": free_port(), **self.arrivals.ports}
        forwards = [{"kind": "proxy", "listen": f"127.0.0.1:{ports['proxy']}"}]
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
        return self.start_tws(f"client-{user}", "client", "--config", config), ports

    def cells(self):
        """(user, way, function, target's two parts, the services it may arrive at, whether it has to)."""
        for user, (_, tcp, udp, unix) in USERS.items():
            for ways, allowed in ((TCP, tcp), (UDP, udp)):
                for name, way in ways.items():
                    for target in [*TARGETS, *(() if name in FORWARDS else MAYBE)]:
                        means = TARGETS.get(target, "4P 4Q 6P other").split()
                        if allowed == "localhost":
                            may = {"4P", "6P"} if target[0].lower().startswith("localhost") and target[1] == "P" else set()
                        else:
                            may = set(allowed.split())
                        yield user, name, way, target, may, target in TARGETS and bool(may & set(means))
            for path, means in PATHS.items():
                plain = path == "a.sock"
                yield user, "by_unix_forward", by_unix_forward, (path, ""), set(unix.split()), plain and means == unix

    def attempt(self, cell):
        user, name, way, (host, port), _, _ = cell
        try:
            return way(self.ports[user], host, port, f"{user},{name},{host.replace('/', '|')},{port}")
        except (OSError, AssertionError):
            return False

    @needs("microsocks")
    def test_no_way_is_open_that_the_rules_close(self):
        self.start_server()
        clients = {user: self.start_client(user) for user in USERS}
        self.ports = {user: ports for user, (_, ports) in clients.items()}
        for client, _ in clients.values():
            client.wait_ready()
        cells = list(self.cells())
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            answered = list(pool.map(self.attempt, cells))
        closed, missing = [], []
        for (user, name, _, (host, port), may, must), answer in zip(cells, answered):
            arrived = {service for service, *label in self.arrivals.noted
                       if label == [user, name, host.replace("/", "|"), port]}
            if arrived - may:
                closed.append(f"{user} {name} {host} {port}: arrived at {arrived - may}")
            if answer and not arrived:
                closed.append(f"{user} {name} {host} {port}: somebody else answered")
            if must and not (answer and arrived):
                missing.append(f"{user} {name} {host} {port}: expected at {may}")
        self.assertEqual(closed, [])
        self.assertEqual(missing, [])
        self.assertGreater(sum(answered), 100)
        self.assertGreater(len(cells) - sum(answered), 500)


# Where each user may have the server listen: rules, then which of PLACES are open.
LISTENERS = {
    "nobody": ([], ""),
    "one": (["127.0.0.1:1024-65535"], "four"),
    "net": (["127.0.0.0/8:1024-65535"], "four other"),
    "six": (["[::1]:1024-65535"], "six"),
    "every": (["0.0.0.0/0"], "four other any4"),
    "low": (["127.0.0.1:1-1023"], ""),
}
PLACES = {"four": "127.0.0.1", "other": "127.0.0.2", "six": "::1", "any4": "0.0.0.0", "any": "::"}


class Listening(Case):
    def test_the_server_listens_only_where_the_rules_let_a_user(self):
        server_port, users, keys = free_port(), [], {}
        for user, (rules, _) in LISTENERS.items():
            keys[user], key = self.keygen(user)
            users.append({"name": user, "key": key, "allow": ["*"], "listen": rules})
        keys_file = self.write("keys.yaml", yaml({"users": users}) + "\n")
        self.start_tws("server", "server", "--config", self.write("server.yaml", yaml(
            {"listen": f"127.0.0.1:{server_port}", "keys_file": keys_file}) + "\n")).wait_ready()
        clients = {}
        for user in LISTENERS:
            ports = {place: free_port() for place in PLACES}
            forwards = [{"reverse": True, "listen": at(host, ports[place]), "remote": "127.0.0.1:9"}
                        for place, host in PLACES.items()]
            clients[user] = ports, self.start_tws(f"client-{user}", "client", "--config", self.write(f"{user}.yaml", yaml(
                {"server": f"ws://127.0.0.1:{server_port}/tws", "key_file": keys[user], "connections": 1,
                 "forwards": forwards}) + "\n"))
        for user, (_, open_places) in LISTENERS.items():
            ports, client = clients[user]
            for place, port in ports.items():
                is_open = place in open_places.split()
                with self.subTest(user=user, place=place):
                    client.wait_log(rf"reverse (listening|forward refused) .*listen=\S+:{port}\b", timeout=WAIT)
                    self.assertEqual(is_listening(port), is_open)


# ---- packets, and connections that the kernel catches ----

# Rules, then what they open over TCP and over UDP: addresses by family, with port 7000 or 7001.
CAUGHT = {
    "nobody": ([], "", ""),
    "four": (["10.80.100.2:7000", "10.80.101.2:7000"], "4:7000", "4:7000"),
    "six": (["fd80:100::/31"], "6:7000 6:7001", "6:7000 6:7001"),
    "tcp": (["tcp/0.0.0.0/0"], "4:7000 4:7001", ""),
    "udp": (["udp/*:7001"], "", "4:7001 6:7001"),
}
# By the network that the client sends there by its TUN or catches.
HOSTS = {"tun": {4: "10.80.100.2", 6: "fd80:100::2"}, "transparent": {4: "10.80.101.2", 6: "fd80:101::2"}}


def can_make():
    return netns.can_make() and os.access("/dev/net/tun", os.W_OK)


@unittest.skipUnless(can_make(), "network namespaces and TUN devices need root")
class Caught(Case):
    """A machine for each user; behind the server a host that notes who comes."""

    def setUp(self):
        super().setUp()
        self.net = tun_net.Net(self, len(CAUGHT))
        self.noted = set()
        for host, device, machine in (("2", "out0", self.net.inner), ("1", "in0", self.net.server)):
            netns.ip("-n", machine, "address", "add", f"10.80.101.{host}/24", "dev", device)
            netns.ip("-n", machine, "address", "add", f"fd80:101::{host}/64", "dev", device, "nodad")
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
                except OSError:
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
                         "networks": ["10.80.101.0/24", "fd80:101::/64"]}]
            netns.ip("-n", self.net.clients[i], "address", "add", f"fd80:{i}::2/64", "dev", "up0", "nodad")
            netns.ip("-n", self.net.clients[i], "-6", "route", "add", "fd80:101::/64", "dev", "up0")
            with self.net.inside(self.net.clients[i]):
                client = self.start_tws(f"client-{user}", "client", "--config", self.write(f"{user}.yaml", yaml(
                    {"server": f"ws://10.80.{i}.1:{port}/tws", "key_file": keys[user], "encrypt": "off", "connections": 1,
                     "forwards": forwards}) + "\n"))
            client.wait_log("tun open")
            client.wait_ready()

    def attempt(self, cell):
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
                 if cell[1:3] != ("transparent", "udp")]  # without tproxy only connections are caught
        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            answered = list(pool.map(self.attempt, cells))
        for (user, way, kind, family, port), answer in zip(cells, answered):
            is_open = f"{family}:{port}" in CAUGHT[user][1 if kind == "tcp" else 2].split()
            with self.subTest(user=user, way=way, kind=kind, target=f"{family}:{port}"):
                self.assertEqual((kind, f"{family}:{port}", user, way) in self.noted, is_open)
                self.assertEqual(answer, is_open)
