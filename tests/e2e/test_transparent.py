"""test_transparent.py - transparent forwards: connections that the kernel catches, of the client's own
machine and of one behind it; the rules come and go with the client."""
import os
import re
import signal
import socket

import tws_e2e
from catch_net import INSIDE, INSIDE6, NEAR, NEAR6, ROUTER, ROUTER6, SERVER, SERVER6, Net, needs_machines
from tws_e2e import Case, needs, wait_until, yaml

WEB, PORT = 8080, 7000
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
ADMIN = ("--inh-caps=+net_admin", "--ambient-caps=+net_admin", "--bounding-set=-all,+net_admin")


def web(peer):
    """An HTTP server that answers with the address that its client comes from."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(4096)
        if not piece:
            return
        data += piece
    body = peer.getpeername()[0].encode()
    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def dns_answer(query, address):
    """The one question's answer: an A record."""
    return (query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + question(query) +
            b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(address))


def question(query):
    end = query.index(b"\0", 12) + 5
    return query[12:end]


def url(address):
    return f"http://[{address}]:{WEB}/" if ":" in address else f"http://{address}:{WEB}/"


@needs("nft", "ip", "curl", "setpriv", "dig")
@needs_machines
class Transparent(Case):
    def setUp(self):
        super().setUp()
        self.net = Net(self)
        for machine, addresses in (("inside", (INSIDE, INSIDE6)), ("server", (NEAR, NEAR6))):
            with self.net.inside(machine):
                for address in addresses:
                    self.addCleanup(tws_e2e.Service(web, address, WEB).close)
        self.key_file, key = self.keygen()
        keys = self.write("keys.yaml", yaml({"users": [{"name": "tester", "key": key, "allow": [
            "10.77.0.0/16", "fd77::/64", "10.71.0.0/16"]}]}) + "\n")
        config = self.write("server.yaml", yaml({"listen": f":{PORT}", "keys_file": keys}) + "\n")
        with self.net.inside("server"):
            self.server = self.start_tws("server", "server", "--config", config).wait_ready()

    # ---- pieces ----

    def config(self, *forwards, name="box", server=SERVER, **more):
        """Writes a client's configuration; a forward is a dict of what it has beyond its kind."""
        address = f"[{server}]" if ":" in server else server
        return self.write(f"{name}.yaml", yaml({
            "server": f"ws://{address}:{PORT}/tws", "key_file": self.key_file, "name": name, "drain": "10s",
            "forwards": [{"kind": "transparent", **forward} for forward in forwards], **more}) + "\n", mode=0o644)

    def launch(self, path, under=()):
        with self.net.inside("router"):
            return self.start_tws("client", "client", "--config", path, under=under)

    def client(self, *forwards, under=(), **more):
        return self.launch(self.config(*forwards, **more), under).wait_ready()

    def curl(self, machine, address, *more):
        """What the server there says our address is; None if it cannot be reached."""
        done = self.net.run(machine, "curl", "-s", "--max-time", "20", "--connect-timeout", "10", *more, url(address))
        return done.stdout if done.returncode == 0 else None

    def tables(self):
        listed = self.net.run("router", "nft", "list", "tables").stdout
        return re.findall(r"^table inet (tws_\S+)$", listed, re.M)

    def rules(self):
        return [line for family in ("-4", "-6")
                for line in self.net.run("router", "ip", family, "rule", "show").stdout.splitlines()
                if "0x5458" in line]

    def routes(self):
        return [line for family in ("-4", "-6")
                for line in self.net.run("router", "ip", family, "route", "show", "table", "all").stdout.splitlines()
                if "120" in line.split()]

    def assert_nothing_left(self):
        self.assertEqual((self.tables(), self.rules(), self.routes()), ([], [], []))

    def assert_all_reach(self, *addresses):
        for machine in ("router", "behind"):
            for address in addresses:
                self.assertIsNotNone(self.curl(machine, address), f"{machine} to {address}")

    def open_stream(self, machine, address=INSIDE, port=9000):
        """A connection to an echo service that is opened at the far end."""
        with self.net.inside("inside"):
            self.addCleanup(tws_e2e.Service(tws_e2e.echo, address, port).close)
        with self.net.inside(machine):
            peer = tws_e2e.connect(port, address)
        self.addCleanup(peer.close)
        self.say(peer)
        return peer

    def say(self, peer, words=b"hello"):
        peer.sendall(words)
        self.assertEqual(tws_e2e.read_exactly(peer, len(words)), words)

    def cleanup(self, *arguments):
        done = self.net.run("router", tws_e2e.TWS, "cleanup", *arguments)
        return done.returncode, done.stdout, done.stderr

    def end(self, client):
        client.signal(signal.SIGTERM)
        self.assertEqual(client.wait_exit(), 0)

    # ---- catching ----

    def test_everything_is_caught_but_the_links(self):
        self.assertIsNone(self.curl("router", INSIDE, "--connect-timeout", "0.3"))
        for server in (SERVER, SERVER6):
            client = self.client({"networks": ["0.0.0.0/0", "::/0"]}, server=server)
            self.assert_all_reach(INSIDE, INSIDE6)
            # The server's own addresses are not of this machine: caught, and so connected by itself.
            self.assertEqual(self.curl("router", NEAR), NEAR)
            self.assertEqual(self.curl("behind", NEAR6), NEAR6)
            self.end(client)
            self.assert_nothing_left()
        self.server.wait_log("target=10.77.0.1:8080")

    def test_tproxy_catches_the_same(self):
        client = self.client({"networks": ["0.0.0.0/0", "::/0"], "tproxy": True})
        self.assertEqual(len(self.rules()), 2)
        self.assertEqual(len(self.routes()), 2)
        self.assert_all_reach(INSIDE, INSIDE6, NEAR, NEAR6)
        self.assertEqual(self.curl("behind", NEAR), NEAR)
        self.end(client)
        self.assert_nothing_left()

    def test_what_is_excluded_or_elsewhere_goes_its_own_way(self):
        for tproxy in (False, True):
            client = self.client({"networks": ["10.77.0.0/24", "fd77::/64"], "exclude": [f"{NEAR}/32", f"{NEAR6}/128"],
                                  "tproxy": tproxy})
            self.assertEqual((self.curl("router", NEAR), self.curl("router", NEAR6)), (ROUTER, ROUTER6))
            self.assertIsNotNone(self.curl("router", INSIDE))
            self.assertIsNotNone(self.curl("behind", INSIDE6))
            self.end(client)

    def test_local_catches_this_machine_only(self):
        for tproxy in (False, True):
            client = self.client({"networks": ["10.77.0.0/24"], "local": True, "tproxy": tproxy})
            self.assertIsNotNone(self.curl("router", INSIDE))
            self.assertIsNone(self.curl("behind", INSIDE, "--connect-timeout", "0.3"))
            self.end(client)

    def test_who_connects_to_the_listener_itself_is_refused(self):
        port = tws_e2e.free_port()
        for tproxy in (False, True):
            client = self.client({"networks": ["0.0.0.0/0", "::/0"], "listen": f":{port}", "tproxy": tproxy})
            for address in ("127.0.0.1", "[::1]", f"{ROUTER}"):
                done = self.net.run("router", "curl", "-s", "--max-time", "20", f"http://{address}:{port}/")
                self.assertIn(done.returncode, (7, 52, 55, 56), address)  # reset before, while or after it sends
            if tproxy:
                client.wait_log("made to this listener itself")
            self.assertNotIn("event=channel", client.log)
            self.end(client)

    # ---- datagrams ----

    def udp_service(self, address, port, answer):
        with self.net.inside("inside"):
            service = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            service.bind((address, port))
        self.addCleanup(service.close)

        def serve():
            while True:
                try:
                    data, peer = service.recvfrom(65535)
                except OSError:
                    return
                service.sendto(answer(data), peer)
        tws_e2e.threading.Thread(target=serve, daemon=True).start()

    def dig(self, machine, address, name="host.example", seconds=10):
        done = self.net.run(machine, "dig", "+short", "+tries=1", f"+time={seconds}", f"@{address}", name)
        return done.stdout.strip()

    def test_tproxy_catches_datagrams(self):
        for address in (INSIDE, INSIDE6):
            self.udp_service(address, 53, lambda query: dns_answer(query, "192.0.2.77"))
        client = self.client({"networks": ["0.0.0.0/0", "::/0"], "exclude": [f"{NEAR}/32"], "tproxy": True})
        for machine in ("router", "behind"):
            for address in (INSIDE, INSIDE6):
                self.assertEqual(self.dig(machine, address), "192.0.2.77", f"{machine} to {address}")
        self.assertNotEqual(self.dig("router", NEAR, seconds=3), "192.0.2.77")
        self.end(client)
        self.server.wait_log("target=10.77.0.1:53")
        self.assert_nothing_left()

    def test_a_flow_of_datagrams_comes_from_the_address_it_was_sent_to(self):
        self.udp_service(INSIDE, 5000, bytes.upper)
        self.udp_service(INSIDE, 5001, bytes.upper)
        client = self.client({"networks": ["10.77.0.0/24"], "tproxy": True})
        for machine in ("router", "behind"):
            with self.net.inside(machine):
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(sender.close)
            sender.settimeout(tws_e2e.WAIT)
            for port in (5000, 5001, 5000):
                for words in (b"hello", b"x" * 1400):
                    sender.sendto(words, (INSIDE, port))
                    self.assertEqual(sender.recvfrom(65535), (words.upper(), (INSIDE, port)))
        self.end(client)

    def test_no_udp_leaves_datagrams_alone(self):
        self.udp_service(INSIDE, 53, lambda query: dns_answer(query, "192.0.2.77"))
        client = self.client({"networks": ["10.77.0.0/24"], "tproxy": True}, no_udp=True)
        self.assertNotIn("udp ct mark set", self.net.run("router", "nft", "list", "ruleset").stdout)
        self.assertIsNotNone(self.curl("router", INSIDE))
        self.end(client)

    # ---- coming and going ----

    def test_connections_from_before_are_left_alone_and_later_ones_outlive_the_rules(self):
        for tproxy in (False, True):
            with self.net.inside("server"):
                service = tws_e2e.Service(tws_e2e.echo, NEAR, 9001 + tproxy)
            self.addCleanup(service.close)
            with self.net.inside("router"):
                before = tws_e2e.connect(service.port, NEAR)
            self.say(before)
            client = self.client({"networks": ["10.77.0.0/24"], "tproxy": tproxy})
            self.say(before)
            caught = [self.open_stream(machine, port=9010 + 2 * tproxy + i)
                      for i, machine in enumerate(("router", "behind"))]
            client.signal(signal.SIGTERM)
            client.wait_log("draining")
            for peer in (*caught, before):
                self.say(peer)
            self.assertEqual(self.curl("router", NEAR), ROUTER, "new ones are not caught")
            for peer in caught:
                peer.close()
            self.assertEqual(client.wait_exit(), 0)
            self.say(before)
            before.close()
            self.assert_nothing_left()

    def test_a_second_signal_ends_at_once_and_leaves_nothing(self):
        client = self.client({"networks": ["10.77.0.0/24"]}, {"networks": ["fd77::/64"], "tproxy": True})
        self.open_stream("router")
        client.signal(signal.SIGTERM)
        client.wait_log("draining")
        self.end(client)
        self.assert_nothing_left()

    def test_a_reload_changes_what_is_caught(self):
        forward = {"networks": ["10.77.0.0/28"], "exclude": [f"{NEAR}/32"]}
        client = self.client(forward)
        stream = self.open_stream("behind")
        self.assertEqual(self.curl("router", NEAR), ROUTER)
        for count, forwards in enumerate(([{"networks": ["10.77.0.0/24"]}], [{"networks": ["10.77.0.0/24"], "tproxy": True}],
                                          [forward]), 1):
            self.config(*forwards)
            client.signal(signal.SIGHUP)
            wait_until(lambda: client.log.count("reloaded") == count, "reloaded")
            self.assertEqual(self.curl("router", NEAR), ROUTER if forwards == [forward] else NEAR)
            self.assertGreaterEqual(len(self.rules()), "tproxy" in forwards[0])
            self.say(stream)
        self.write("box.yaml", re.sub(r"(?s)forwards:.*", f"forwards: [{{listen: 127.0.0.1:{tws_e2e.free_port()}, "
                                      f"remote: {INSIDE}:{WEB}}}]\n", open(client_path(self), encoding="utf-8").read()), 0o644)
        client.signal(signal.SIGHUP)
        wait_until(lambda: client.log.count("reloaded") == 4, "reloaded")
        self.assertEqual(self.curl("router", NEAR), ROUTER)
        self.say(stream)
        stream.close()
        wait_until(lambda: not self.tables(), "the rules go with the last caught connection")
        self.assert_nothing_left()

    def test_a_start_or_reload_that_fails_changes_nothing(self):
        with self.net.inside("router"):
            taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        bad = {"networks": ["fd77::/64"], "tproxy": True, "listen": f":{port}", "local": True}
        client = self.launch(self.config({"networks": ["10.77.0.0/24"]}, bad))
        client.expected = (1,)
        self.assertEqual(client.wait_exit(), 1)
        self.assert_nothing_left()
        client = self.client({"networks": ["10.77.0.0/24"]})
        before = self.net.run("router", "nft", "list", "ruleset").stdout
        self.config({"networks": ["10.77.0.0/25"]}, bad)
        client.signal(signal.SIGHUP)
        client.wait_log("nothing changed")
        self.assertEqual(self.net.run("router", "nft", "list", "ruleset").stdout, before)
        self.assertEqual(self.rules(), [])

    # ---- what a killed one leaves ----

    def kill(self, client):
        client.expected = (-signal.SIGKILL,)
        client.signal(signal.SIGKILL)
        client.wait_exit()

    def test_cleanup_removes_what_a_killed_client_left_and_nothing_else(self):
        forwards = {"networks": ["10.77.0.0/24"]}, {"networks": ["fd77::/64"], "tproxy": True}
        client = self.client(*forwards)
        code, out, _ = self.cleanup()
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"table inet tws_box: kept, a tws client that runs uses it")
        self.assertNotIn("removed", out)
        self.assertIsNotNone(self.curl("router", INSIDE))
        self.kill(client)
        self.net.run("router", "nft", "add table inet mine; add table inet tws-x")
        self.assertEqual((self.tables(), len(self.rules())), (["tws_box"], 1))
        code, out, _ = self.cleanup()
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"^nftables table inet tws_box: removed\nip -6 rule fwmark 0x5458\S+ and routing table \d+: removed\n$")
        self.assert_nothing_left()
        self.assertIn("table inet mine", self.net.run("router", "nft", "list", "tables").stdout)
        self.assertEqual(self.cleanup()[:2], (0, "nothing to clean up\n"))
        self.assertEqual(self.cleanup("--all")[0], 2)

    def test_cleanup_that_may_not_says_so_and_fails(self):
        self.kill(self.client({"networks": ["10.77.0.0/24"]}))
        done = self.net.run("router", *AS_NOBODY, tws_e2e.TWS, "cleanup")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "not removed: nft: .*Operation not permitted")
        self.assertEqual(self.cleanup()[0], 0)

    def test_the_next_client_of_the_name_takes_the_place_of_a_killed_one(self):
        forwards = {"networks": ["10.77.0.0/24"]}, {"networks": ["fd77::/64"], "tproxy": True}
        self.kill(self.client(*forwards))
        client = self.client(*forwards)
        self.assert_all_reach(INSIDE, INSIDE6)
        self.end(client)
        self.assert_nothing_left()

    # ---- what it needs ----

    def test_a_user_with_one_capability_can_run_it(self):
        os.chown(self.key_file, NOBODY, NOBODY)
        client = self.client({"networks": ["10.77.0.0/24"]}, {"networks": ["fd77::/64"], "tproxy": True},
                             under=(*AS_NOBODY, *ADMIN))
        self.assert_all_reach(INSIDE, INSIDE6)
        self.end(client)
        self.assert_nothing_left()

    def fails_with(self, path, pattern, under=()):
        client = self.launch(path, under)
        client.expected = (1,)
        self.assertEqual(client.wait_exit(), 1)
        self.assertEqual(len(re.findall(r"(?:ERROR|error)", client.log)), 2, client.log)  # why; and that it cannot start
        self.assertRegex(client.log, pattern)

    def test_what_is_missing_is_one_line_with_the_remedy(self):
        path = self.config({"networks": ["10.77.0.0/24"]})
        other = self.config({"networks": ["10.77.0.0/24"], "tproxy": True}, name="other")
        os.chown(self.key_file, NOBODY, NOBODY)
        for each in (path, other):
            self.fails_with(each, "CAP_NET_ADMIN: start as root", AS_NOBODY)
        os.chown(self.key_file, 0, 0)
        hide = ("unshare", "-m", "sh", "-c", "mount -t tmpfs none /usr/sbin; exec \"$@\"", "sh")
        self.fails_with(path, "nft is not installed: install the package nftables", hide)
        self.fails_with(other, "is not installed: install the package", hide)
        self.assert_nothing_left()

    def test_without_descriptors_accepting_pauses_and_goes_on(self):
        for tproxy in (False, True):
            with self.subTest(tproxy=tproxy):
                client = self.client({"networks": ["10.77.0.0/24"], "tproxy": tproxy}, name=f"box{tproxy}", connections=1,
                                     under=("prlimit", "--nofile=48"))
                first = self.open_stream("router", port=9000 + tproxy)
                with self.net.inside("router"):
                    peers = [tws_e2e.connect(9000 + tproxy, INSIDE) for _ in range(64)]
                client.wait_log("accepting pauses listen=.* reason=\"Too many open files\"")
                self.say(first)
                for peer in (first, *peers):
                    peer.close()
                wait_until(lambda: self.curl("router", INSIDE, "--connect-timeout", "1"), "it works again")
                self.assertEqual(client.log.count("accepting pauses"), 1)
                self.end(client)

    def test_two_clients_of_one_name_do_not_share(self):
        path = self.config({"networks": ["10.77.0.0/24"]})
        client = self.client({"networks": ["10.77.0.0/24"]})
        self.fails_with(path, "another tws client named box catches connections")
        self.assertIsNotNone(self.curl("router", INSIDE))
        self.end(client)

    def test_a_dry_run_prints_what_would_be_done_and_does_nothing(self):
        path = self.config({"networks": ["10.77.0.0/24"], "listen": ":4000"},
                           {"networks": ["fd77::/64"], "tproxy": True, "listen": ":4001"})
        done = self.net.run("router", *AS_NOBODY, tws_e2e.TWS, "client", "--config", path, "--dry-run")
        self.assertNotEqual(done.returncode, 0)  # the key is not nobody's
        done = self.net.run("router", tws_e2e.TWS, "client", "--config", path, "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_nothing_left()
        ran = self.net.run("router", "sh", "-e", input=done.stdout)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertEqual((self.tables(), len(self.rules()), len(self.routes())), (["tws_box"], 1, 1))
        self.assertEqual(self.cleanup()[0], 0)
        self.assert_nothing_left()


def client_path(case):
    return os.path.join(case.folder, "box.yaml")
