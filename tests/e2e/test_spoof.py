"""Connections that start at the client's own address: what targets see, with the routes that `tws check` says are
missing and no others; and connections that leave by a device."""
import os
import socket
import struct
import subprocess
import threading

import peer
from netns import Machines, ip, needs_namespaces, needs_wires
from peer import DATAGRAM, OPEN, OPENED, RESET, opening, parameter
from test_egress import at, tell_peer
from tws_e2e import WAIT, Case, Service, free_port, read_all, wait_until
from two_uplinks import SERVER, TwoUplinks

USERS = {4: "198.51.100.7", 6: "2001:db8:7::7"}
CLIENT = {4: "10.79.1.1", 6: "fd00:79:1::1"}
GATEWAY = {4: "10.79.2.1", 6: "fd00:79:2::1"}
TARGET = {4: "10.79.2.2", 6: "fd00:79:2::2"}


@needs_wires
class Spoof(Case):
    """Users at addresses of the client's machine; the server's machine beside it; a target's behind that."""

    def setUp(self):
        super().setUp()
        self.net = Machines(self)
        self.behind = self.net.add("behind")
        self.net.join("client", "to-server", "server", "to-client", ("10.79.1.1/24", "10.79.1.2/24"),
                      ("fd00:79:1::1/64", "fd00:79:1::2/64"))
        self.net.join("server", "to-target", "behind", "to-server", ("10.79.2.1/24", "10.79.2.2/24"),
                      ("fd00:79:2::1/64", "fd00:79:2::2/64"))
        for family, user in USERS.items():
            ip("-n", self.net.client, f"-{family}", "address", "add", user, "dev", "lo")
            ip("-n", self.behind, f"-{family}", "route", "add", "default", "via", GATEWAY[family])

    def serve(self, namespace, host, port=None):
        with self.net.inside(namespace):
            service = Service(tell_peer, host)
        self.addCleanup(service.close)
        return at(host, service.port)

    def serve_datagrams(self, namespace, host):
        """Answers each datagram with where it came from."""
        with self.net.inside(namespace):
            peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            peer.bind((host, 0))
        self.addCleanup(peer.close)

        def run():
            while True:
                try:
                    _, source = peer.recvfrom(100)
                    peer.sendto(f"{source[0]} {source[1]}".encode(), source)
                except OSError:
                    return
        threading.Thread(target=run, daemon=True).start()
        return at(host, peer.getsockname()[1])

    def bring_up(self, targets, records, allow, udp_timeout="60s", **forward):
        """A forward of the family of each target, on the client's machine, for its users."""
        tunnel = self.tunnel("127.0.0.1:1", plain=True, start=False, allow=allow)
        tunnel.server_settings.update(listen=f"10.79.1.2:{tunnel.server_port}", egress=records, connect_timeout="500ms",
                                      udp_timeout=udp_timeout)
        self.families = [6 if target.startswith("[") else 4 for target in targets]
        tunnel.ports = [free_port() for _ in targets]
        tunnel.client_settings.update(
            server=f"ws://10.79.1.2:{tunnel.server_port}/tws", encrypt="off",
            forwards=[{"listen": f":{port}", "remote": target, **forward} for target, port in zip(targets, tunnel.ports)])
        with self.net.inside(self.net.server):
            tunnel.start_server()
        with self.net.inside(self.net.client):
            tunnel.start_client()
            tunnel.wait_links()
        return tunnel

    def use(self, tunnel, i, source=None, host=None):
        """(what the i-th target said, our own address and port)."""
        family = self.families[i]
        try:
            with self.net.inside(self.net.client):
                peer = socket.create_connection((host or CLIENT[family], tunnel.ports[i]), timeout=WAIT,
                                                source_address=(source or USERS[family], 0))
            with peer:
                own = peer.getsockname()
                return read_all(peer).decode(), f"{own[0]} {own[1]}"
        except ConnectionResetError:
            return "", ""

    def check(self, tunnel):
        """What `tws check` has to say beside ok."""
        with self.net.inside(self.net.server):
            code, text, errors = self.run_tws("check", "--server", tunnel.write_server())
        self.assertEqual((code, errors), (0, ""))
        first, *rest = text.splitlines()
        self.assertIn(": ok (server)", first)
        return rest

    def run_commands(self, lines):
        commands = [line.strip() for line in lines if line.startswith("  ip ")]
        self.assertTrue(commands)
        for command in commands:
            subprocess.run(["ip", "netns", "exec", self.net.server, *command.split()], check=True, capture_output=True)

    def show(self, targets, records, allow):
        tunnel = self.bring_up(targets, records, allow)
        self.assertEqual(self.use(tunnel, 0)[0], "")
        tunnel.client.wait_log(f"target={targets[0].replace('[', '.')}.*no answer within")
        self.run_commands(self.check(tunnel))
        self.assertEqual(self.check(tunnel), [])
        for i in range(len(targets)):
            for _ in range(3):
                said, own = self.use(tunnel, i)
                self.assertEqual(said, own)
        return tunnel

    def test_a_target_on_the_servers_machine_sees_the_client(self):
        targets = [self.serve(self.net.server, host) for host in ("127.0.0.1", "::1")]
        tunnel = self.show(targets, [{"to": targets, "spoof": True}], targets)
        with self.subTest("an address that means the server's own machine is not believed"):
            self.assertEqual(self.use(tunnel, 0, "127.0.0.1", "127.0.0.1")[0], "")
            tunnel.client.wait_log("spoof: the client's address is a special one")

    def test_a_target_behind_the_server_sees_the_client(self):
        targets = [self.serve(self.behind, host) for host in (TARGET[4], TARGET[6])]
        self.show(targets, [{"to": [TARGET[4], TARGET[6]], "spoof": True}], ["10.79.0.0/16", "fd00:79::/32"])

    def test_a_target_of_datagrams_sees_the_client(self):
        targets = ([self.serve_datagrams(self.net.server, host) for host in ("127.0.0.1", "::1")]
                   + [self.serve_datagrams(self.behind, TARGET[family]) for family in (4, 6)])
        tunnel = self.bring_up(targets, [{"to": ["127.0.0.1", "::1", TARGET[4], TARGET[6]], "spoof": True}], targets, kind="udp")
        self.run_commands(self.check(tunnel))
        for family, port in zip(self.families, tunnel.ports):
            with self.net.inside(self.net.client):
                user = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
            with user:
                user.settimeout(WAIT)
                user.bind((USERS[family], 0))
                user.connect((CLIENT[family], port))
                for _ in range(3):
                    user.send(b"who am I?")
                    self.assertEqual(user.recv(100).decode(), "{} {}".format(*user.getsockname()))

    def test_clients_of_each_family_reach_their_own_target_from_their_own_address(self):
        four, six = self.serve(self.net.server, "127.0.0.1"), self.serve(self.net.server, "::1")
        records = [{"to": ["app.example"], "ipv4": four, "ipv6": six, "spoof": True}]
        tunnel = self.bring_up(["app.example:80"], records, ["app.example"])
        self.run_commands(self.check(tunnel))
        for family in (4, 6):
            self.families = [family]
            said, own = self.use(tunnel, 0)
            self.assertEqual(said, own)

    def test_a_marked_connection_is_told_apart_by_the_routing_rules(self):
        targets = [self.serve(self.behind, TARGET[4])]
        run = lambda *command: subprocess.run(["ip", "netns", "exec", self.net.server, *command], check=True, capture_output=True)
        run("nft", "add table inet t; add chain inet t in { type filter hook prerouting priority mangle; };"
                   "add chain inet t out { type route hook output priority mangle; };"
                   "add rule inet t out meta mark 77 ct mark set 77; add rule inet t in ct mark 77 meta mark set 77")
        run("ip", "rule", "add", "fwmark", "77", "iif", "to-target", "lookup", "77")
        run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "77")
        tunnel = self.bring_up(targets, [{"spoof": True, "mark": 77, "to": [TARGET[4]]}], [TARGET[4]])
        self.assertEqual(self.check(tunnel), [])
        said, own = self.use(tunnel, 0)
        self.assertEqual(said, own)

    def join(self, tunnel):
        """A client of the test's own, which says of each connection where it comes from."""
        with self.net.inside(self.net.client), open(tunnel.key_file, encoding="ascii") as file:
            link = peer.Client(tunnel.server_port, file.read(), host="10.79.1.2")
        self.addCleanup(link.close)
        link.next = 1
        return link

    @staticmethod
    def attempt(link, kind, target, source):
        """(OPENED or RESET's code, its words) of a connection that comes from `source`, as it says."""
        host, port = target.strip("[").replace("]:", ":").rsplit(":", 1)
        link.send((OPEN, link.next, 0, opening(kind, peer.address(host, int(port)), parameter(1, source))))
        frame = link.wait(OPENED, RESET, channel=link.next)
        link.send((RESET, link.next, 0, b"\0\0"))
        link.acknowledge()
        link.next += 2
        return (OPENED, "") if frame[0] == OPENED else (struct.unpack("!H", frame[3][:2])[0], frame[3][2:].decode())

    def sources_seen(self, link, target, sources):
        """What a service of serve_datagrams() sees of flows that come from there, as they say."""
        host, port = target.split(":")
        flows = dict(zip(range(link.next, link.next + 2 * len(sources), 2), sources))
        link.next += 2 * len(sources)
        for flow, source in flows.items():
            link.send((OPEN, flow, 0, opening(peer.UDP, peer.address(host, int(port)), parameter(1, peer.address(*source)))),
                      (DATAGRAM, flow, 0, b"who am I?"))
        seen = {flows[flow]: tuple(said.decode().split()) for _, flow, _, said, _ in (link.wait(DATAGRAM) for _ in flows)}
        link.acknowledge()
        return seen

    def test_a_client_that_lies_is_believed_no_address_of_ours_no_special_one_and_no_port_of_the_privileged(self):
        targets = [self.serve(self.behind, TARGET[4]), self.serve(self.behind, TARGET[6]),
                   self.serve(self.net.server, GATEWAY[4])]
        tunnel = self.bring_up(targets, [{"to": [TARGET[4], TARGET[6], GATEWAY[4]], "spoof": True}],
                               ["10.79.0.0/16", "fd00:79::/32"], udp_timeout="2s")
        link, forbidden = self.join(tunnel), 8
        four = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "255.255.255.255", "169.254.1.1",
                "::ffff:127.0.0.1", "::ffff:10.79.2.1", "10.79.1.2", "10.79.2.1", "10.79.2.255", "10.79.1.255"]
        six = ["::1", "::", "ff02::1", "fe80::1", "fd00:79:1::2", "fd00:79:2::1", "64:ff9b::224.0.0.1"]
        own = [(targets[0], TARGET[4]), (targets[1], TARGET[6]), (targets[2], GATEWAY[4])]
        lies = [(targets[0], source) for source in four] + [(targets[1], source) for source in six] + own
        for kind in (peer.TCP, peer.UDP):
            for target, source in lies:
                port = int(target.rsplit(":", 1)[1]) if (target, source) in own else 4000
                with self.subTest(kind=kind, target=target, source=source):
                    code, words = self.attempt(link, kind, target, peer.address(source, port))
                    self.assertEqual((code, words[:6]), (forbidden, "spoof:"))
            for source in (peer.name("client.example", 4000), peer.name("/run/x", 0, 5)):
                self.assertEqual(self.attempt(link, kind, targets[0], source), (forbidden, "spoof: the client's address is not known"))
            code, words = self.attempt(link, kind, targets[0], peer.address(USERS[6], 4000))
            self.assertEqual((code, words), (11, "Address family not supported by protocol"))
        tunnel.server.wait_log("client's address not believed.*user=.*source=127.0.0.1 ")
        self.assertLess(tunnel.server.log.count("not believed"), 2 * len(lies))  # ten at once, then one a second
        self.run_commands(self.check(tunnel))
        self.assertEqual(self.use(tunnel, 0)[0].split()[0], USERS[4])
        datagrams = self.serve_datagrams(self.behind, TARGET[4])
        for (host, port), said in self.sources_seen(link, datagrams, [(USERS[4], port) for port in (0, 53, 1023, 1024, 65535)]).items():
            self.assertEqual((said[0], said[1] == str(port)), (host, port >= 1024))
        many = [(f"198.51.100.{i}", 4000) for i in range(1, 50)]
        self.assertEqual(self.sources_seen(link, datagrams, many), {source: (source[0], "4000") for source in many})
        open_files = lambda: len(os.listdir(f"/proc/{tunnel.server.popen.pid}/fd"))
        wait_until(lambda: open_files() < len(many), "each flow has its time")


@needs_namespaces
class Device(Case):
    def test_a_connection_leaves_by_the_device_it_is_bound_to(self):
        net = TwoUplinks(self)
        with net.inside(net.server):
            targets = [Service(tell_peer, SERVER) for _ in range(2)]
        for target in targets:
            self.addCleanup(target.close)
        with net.inside(net.client):
            tunnel = self.tunnel(*(f"{SERVER}:{target.port}" for target in targets), plain=True,
                                 server={"egress": [{"to": [f"{SERVER}:{targets[1].port}"], "bind": "b0"}]})
            for port, source in zip(tunnel.ports, ("10.77.1.1", "10.77.2.1")):
                with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as peer:
                    self.assertEqual(read_all(peer).split()[0].decode(), source)

    def test_a_device_that_is_not_there_is_named_to_the_client(self):
        tunnel = self.tunnel("127.0.0.1:9", plain=True, server={"egress": [{"bind": "none0"}]})
        try:
            with socket.create_connection(("127.0.0.1", tunnel.port), timeout=WAIT) as peer:
                self.assertEqual(read_all(peer), b"")
        except ConnectionResetError:
            pass
        tunnel.client.wait_log("No such device")
        wait_until(lambda: "unreachable" in tunnel.server.log, "the server notes it")
