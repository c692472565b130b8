"""Several ways out of the client's machine, several servers, links that are replaced: what is used, and
what forwarded connections notice."""
import hashlib
import os
import re
import signal
import socket
import threading
import time

import peer as protocol
from netns import needs_namespaces
from two_uplinks import SERVER, TwoUplinks
from tws_e2e import (MIB, WAIT, Case, Service, alone, ask, connect, exchange, free_port, not_sanitized, read_all,
                     read_exactly, wait_until, yaml)


# ---- two network devices ----

class Machine(Case):
    """A client in one namespace, a server in the other."""

    def bring_up(self, uplinks, handler, **settings):
        self.net = TwoUplinks(self)
        with self.net.inside(self.net.server):
            target = Service(handler)
        self.addCleanup(target.close)
        tunnel = self.tunnel(target.port, plain=True, start=False)
        tunnel.server_settings["listen"] = f"{SERVER}:{tunnel.server_port}"
        del tunnel.client_settings["connections"]
        tunnel.client_settings.update(server=f"ws://{SERVER}:{tunnel.server_port}/tws", uplinks=uplinks,
                                      encrypt="off", **settings)
        with self.net.inside(self.net.server):
            tunnel.start_server()
        with self.net.inside(self.net.client):
            tunnel.start_client()
        links = sum(uplink.get("connections", 1) for uplink in uplinks)
        tunnel.client.wait_told(rf"STATUS={links} of {links} links up.*")
        return tunnel

    def connect(self, tunnel):
        with self.net.inside(self.net.client):
            return connect(tunnel.port, timeout=3 * WAIT)


def echo(peer):
    while data := peer.recv(65536):
        peer.sendall(data)


def source(peer):
    """Sends as many MiB as the first four digits say."""
    count = int(read_exactly(peer, 4))
    piece = os.urandom(MIB)
    for _ in range(count):
        peer.sendall(piece)


def sink(peer):
    """Says how much came."""
    count = 0
    while data := peer.recv(65536):
        count += len(data)
    peer.sendall(str(count).encode())


BOTH = [{"name": "a", "interface": "a0"}, {"name": "b", "interface": "b0"}]


@needs_namespaces
class Uplinks(Machine):
    def test_links_leave_by_their_interface_and_from_their_source(self):
        tunnel = self.bring_up([{"name": "near", "interface": "b0", "connections": 2},
                                {"name": "far", "source": "10.77.1.1"}], echo)
        for name, address, count in (("near", "10.77.2.1", 2), ("far", "10.77.1.1", 1)):
            pattern = rf"link up.* peer={address}:\d+ .*uplink={name} "
            wait_until(lambda: len([line for line in tunnel.server.log.splitlines()
                                    if re.search(pattern, line)]) == count, pattern)
        self.assertIn("uplink=near", tunnel.client.log)
        with self.connect(tunnel) as peer:
            peer.sendall(b"hello")
            self.assertEqual(read_exactly(peer, 5), b"hello")

    def test_a_backup_carries_nothing_until_the_other_uplink_is_set_down(self):
        tunnel = self.bring_up([BOTH[0], dict(BOTH[1], role="backup")], echo)
        before = []

        def cut():
            before.append(self.net.sent("b"))
            self.net.set_down("a")

        with self.connect(tunnel) as peer:
            exchange(peer, 64 * MIB, cut)
        self.assertLess(before[0], MIB)
        self.assertGreater(self.net.sent("b"), 16 * MIB)
        self.assertNotIn("session over", tunnel.client.log)

    def test_a_dead_uplink_is_noticed_long_before_its_heartbeat_and_used_again_at_once(self):
        tunnel = self.bring_up(BOTH, echo, timeout="5m", retry_timeout="10m")
        self.net.set_down("a")
        tunnel.client.wait_log(r"link down.* uplink=a ")
        tunnel.client.wait_log(r"cannot connect.* uplink=a ")
        mark = len(tunnel.client.log)
        with self.connect(tunnel) as peer:
            exchange(peer, MIB)
        self.net.set_up("a")
        tunnel.client.wait_log(r"link up.* uplink=a ", after=mark)
        self.assertNotIn("uplink=b", tunnel.client.log[mark:])

    def test_all_uplinks_down_is_waited_out(self):
        tunnel = self.bring_up(BOTH, echo)

        def cut():
            for device in "ab":
                self.net.set_down(device)
            threading.Timer(2, lambda: [self.net.set_up(device) for device in "ba"]).start()

        with self.connect(tunnel) as peer:
            exchange(peer, 32 * MIB, cut)
        self.assertNotIn("session over", tunnel.client.log)


@needs_namespaces
@alone
@not_sanitized
class Bond(Machine):
    """Two uplinks of 50 Mbit/s."""

    def seconds(self, tunnel, handler, size):
        with self.connect(tunnel) as peer:
            begin = time.monotonic()
            if handler is source:
                peer.sendall(b"%04d" % (size // MIB))
                self.assertEqual(len(read_all(peer)), size)
            else:
                peer.sendall(bytes(size))
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(int(read_all(peer)), size)
            return time.monotonic() - begin

    def ratio(self, handler):
        size, took = 24 * MIB, {}
        for name, uplinks in (("one", BOTH[:1]), ("two", BOTH)):
            tunnel = self.bring_up(uplinks, handler, schedule="bond")
            self.net.limit("50mbit")
            took[name] = self.seconds(tunnel, handler, size)
            tunnel.client.stop()
            tunnel.server.stop()
        rates = {name: size * 8 / seconds / 1e6 for name, seconds in took.items()}
        print(f"[one {rates['one']:.1f} Mbit/s, two {rates['two']:.1f}]", end=" ")
        return took["one"] / took["two"]

    def best_ratio(self, handler):
        """Of three, since a machine that pauses for 0.2 s spoils one; the first that will do."""
        ratios = []
        while len(ratios) < 3 and max(ratios, default=0) <= 1.8:
            ratios.append(self.ratio(handler))
        return max(ratios)

    def test_one_download_over_two_uplinks_is_nearly_twice_as_fast(self):
        self.assertGreater(self.best_ratio(source), 1.8)

    def test_one_upload_over_two_uplinks_is_nearly_twice_as_fast(self):
        self.assertGreater(self.best_ratio(sink), 1.8)


# ---- loopback is enough ----

class Configured(Case):
    def test_an_uplink_without_its_device_is_named_once_and_slows_nothing(self):
        uplinks = [{"name": "gone", "interface": "nosuch0"}, {"name": "good", "source": "127.0.0.1", "connections": 2}]
        tunnel = self.tunnel(self.service().port, plain=True, start=False, client={"uplinks": uplinks})
        del tunnel.client_settings["connections"]
        tunnel.start_server()
        begin = time.monotonic()
        tunnel.start_client()
        tunnel.wait_links(2)
        self.assertLess(time.monotonic() - begin, 8)  # a dial that is waited for takes 10 s
        tunnel.client.wait_log(r"cannot connect.* uplink=gone .*device")
        for _ in range(20):
            self.assertTrue(ask(tunnel.port))
        self.assertEqual(tunnel.client.log.count("uplink=gone"), 1, tunnel.client.log)

    def test_a_reload_changes_uplinks_and_no_connection_notices(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False)
        del tunnel.client_settings["connections"]
        tunnel.client_settings["uplinks"] = [{"name": "one", "source": "127.0.0.1"},
                                             {"name": "two", "source": "127.0.0.2"}]
        tunnel.start_server()
        tunnel.start_client()
        tunnel.wait_links(2)
        with connect(tunnel.port, timeout=3 * WAIT) as peer:
            tunnel.client_settings["uplinks"] = [{"name": "three", "source": "127.0.0.3", "connections": 2},
                                                 {"name": "two", "source": "127.0.0.2", "role": "backup"}]
            tunnel.write_client()
            tunnel.client.signal(signal.SIGHUP)
            tunnel.client.wait_log(r"link up.* uplink=three .*links=3/3")
            exchange(peer, 32 * MIB)
        tunnel.wait_links(3)
        self.assertIn("replaced", tunnel.client.log)
        self.assertNotIn("session over", tunnel.client.log)


class Ways(Case):
    ONE_WAY, AUTO = 7, 0  # the schedules of docs/protocol.md

    def test_the_client_says_whether_its_links_take_the_same_way(self):
        listener = protocol.Server()
        self.addCleanup(listener.close)
        key_file, _ = self.keygen()
        settings = {"server": f"ws://127.0.0.1:{listener.port}/", "key_file": key_file,
                    "forwards": [{"listen": f"127.0.0.1:{free_port()}", "remote": "127.0.0.1:1"}],
                    "uplinks": [{"name": "one", "source": "127.0.0.1"}]}
        client = self.start_tws("client", "client", "--config", self.write("client.yaml", yaml(settings) + "\n"))
        with open(key_file, encoding="ascii") as file:
            link = listener.accept(file.read())
        self.addCleanup(link.close)
        self.assertEqual(link.wait(protocol.LINK)[3][1], self.ONE_WAY)
        for more, schedule in (([{"name": "two", "source": "127.0.0.2"}], self.AUTO), ([], self.ONE_WAY)):
            self.write("client.yaml", yaml({**settings, "uplinks": settings["uplinks"] + more}) + "\n")
            client.signal(signal.SIGHUP)
            self.assertEqual(link.wait(protocol.LINK)[3][1], schedule)


class Rotation(Case):
    def test_links_are_replaced_under_load_and_nothing_is_lost(self):
        tunnel = self.tunnel(self.service().port, plain=True, client={"max_age": "1s"})
        self.rotate(tunnel, 6)
        for word in ("session over", "session suspended", "cannot connect"):
            self.assertNotIn(word, tunnel.client.log)
        self.assertNotIn("reset", tunnel.server.log)

    def test_a_session_with_all_the_links_it_may_have_replaces_them_too(self):
        tunnel = self.tunnel(self.service().port, plain=True, links=16, start=False, client={"max_age": "1s"})
        tunnel.start_server()
        tunnel.start_client()
        self.rotate(tunnel, 1)
        tunnel.client.wait_log(r"link up.* link=17 ")
        self.assertNotIn("cannot connect", tunnel.client.log)

    def rotate(self, tunnel, count):
        """One connection that never rests sees `count` links replaced."""
        begin, rounds, piece = time.monotonic(), 0, os.urandom(8 * MIB)
        with connect(tunnel.port, timeout=3 * WAIT) as peer:
            while tunnel.client.log.count("replaced") < count:
                self.assertLess(time.monotonic() - begin, 3 * WAIT, "links are not replaced")
                sender = threading.Thread(target=peer.sendall, args=(piece,))
                sender.start()
                self.assertEqual(hashlib.sha256(read_exactly(peer, len(piece))).digest(),
                                 hashlib.sha256(piece).digest())
                sender.join()
                rounds += 1
        print(f"[{rounds} rounds of 8 MiB]", end=" ")


class Servers(Case):
    """Two servers with the same keys."""

    def bring_up(self, balance):
        self.target = self.service()
        tunnel = self.tunnel(self.target.port, plain=True, start=False)
        self.paths = {}
        for name in ("first", "second"):
            listen = f"127.0.0.1:{free_port()}"
            self.paths[name] = listen, self.write(f"{name}.yaml", yaml(dict(tunnel.server_settings, listen=listen)) + "\n")
        del tunnel.client_settings["server"]
        tunnel.client_settings.update(servers=[f"ws://{listen}/tws" for listen, _ in self.paths.values()],
                                      balance=balance, retry_timeout="200ms")
        servers = {name: self.start_server(name) for name in self.paths}
        tunnel.start_client()
        tunnel.client.wait_told(r"STATUS=4 of 4 links up.*")
        return tunnel, servers

    def start_server(self, name):
        return self.start_tws(name, "server", "--config", self.paths[name][1]).wait_ready()

    def served(self, server):
        """Channels that ended there."""
        return server.log.count('reason="closed"')

    def test_each_server_has_its_turn(self):
        tunnel, servers = self.bring_up("round-robin")
        for _ in range(10):
            self.assertTrue(ask(tunnel.port))
        wait_until(lambda: [self.served(server) for server in servers.values()] == [5, 5], "five channels each")

    def test_the_one_with_fewer_connections_gets_the_next(self):
        tunnel, servers = self.bring_up("least-loaded")
        held = []
        for _ in range(6):
            held.append(connect(tunnel.port))
            held[-1].sendall(b"x")
            read_exactly(held[-1], 1)
        for peer in held:
            peer.close()
        wait_until(lambda: [self.served(server) for server in servers.values()] == [3, 3], "three channels each")

    def test_a_server_that_drains_keeps_what_it_has_and_the_backup_gets_the_rest(self):
        tunnel, servers = self.bring_up("active-backup")
        with connect(tunnel.port) as old:
            old.sendall(b"before")
            read_exactly(old, 6)
            servers["first"].signal(signal.SIGTERM)
            tunnel.client.wait_log("session drains")
            self.assertTrue(ask(tunnel.port))
            wait_until(lambda: self.served(servers["second"]) == 1, "the second serves")
            old.sendall(b"still here")
            self.assertEqual(read_exactly(old, 10), b"still here")
        servers["first"].wait_exit()
        mark = len(tunnel.client.log)
        again = self.start_server("first")
        tunnel.client.wait_log(r"link up.* links=2/2", after=mark)
        self.assertTrue(ask(tunnel.port))
        wait_until(lambda: self.served(again) == 1, "the first serves again")

    def test_connections_of_a_server_that_falls_silent_go_on_when_it_comes_back(self):
        tunnel, servers = self.bring_up("active-backup")
        with connect(tunnel.port, timeout=3 * WAIT) as old:
            old.sendall(b"before")
            read_exactly(old, 6)
            servers["first"].signal(signal.SIGSTOP)
            try:
                tunnel.client.signal(signal.SIGUSR1)
                tunnel.client.wait_log("session suspended")
                self.assertTrue(ask(tunnel.port))
            finally:
                servers["first"].signal(signal.SIGCONT)
            old.sendall(b"after")
            self.assertEqual(read_exactly(old, 5), b"after")
        wait_until(lambda: self.served(servers["second"]) == 1, "the second served meanwhile")
