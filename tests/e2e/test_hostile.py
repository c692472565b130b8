"""What peers that hold a key, but follow no rules, can do to the other side: nothing that lasts."""
import re
import socket
import struct

import peer
from peer import CLOSE, DATAGRAM, OPEN, OPENED, RESET, address, name, opening, parameter
from tws_e2e import Case, ask, free_port, not_sanitized, wait_until, yaml

DIALS = 1024  # of a session at once; what is opened behind them waits (src/tunnel/egress_priv.h)


class Clients(Case):
    """Clients of the test's own, beside an ordinary one that must not notice."""

    def setUp(self):
        super().setUp()
        self.tunnel_ = self.tunnel(self.service().port, plain=True, allow=["127.0.0.0/8", "::1"])
        with open(self.tunnel_.key_file, encoding="ascii") as file:
            self.key = file.read()

    def join(self, **more):
        link = peer.Client(self.tunnel_.server_port, self.key, **more)
        self.addCleanup(link.close)
        return link

    def tearDown(self):
        self.assertTrue(ask(self.tunnel_.port))
        super().tearDown()

    def test_datagrams_that_wait_for_a_name_may_all_be_refused(self):
        link = self.join()
        link.send((OPEN, 1, 0, opening(peer.UDP, name("localhost", free_port()))), *[(DATAGRAM, 1, i, b"x") for i in range(20)])
        self.assertEqual(link.wait(RESET)[3][:2], b"\0\x0a")

    def full_port(self):
        """Of a listener that answers nobody any more."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        for _ in range(3):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        return listener.getsockname()[1]

    @not_sanitized
    def test_datagrams_that_wait_have_one_budget_however_small_they_are(self):
        link, flows = self.join(), 24000
        target = opening(peer.TCP, address("127.0.0.1", self.full_port()))
        for at in range(0, DIALS, 64):
            link.send(*[(OPEN, 2 * i + 1, 0, target) for i in range(at, at + 64)])
        target = opening(peer.UDP, name("localhost", 9))
        for at in range(DIALS, DIALS + flows, 32):
            ids = [2 * i + 1 for i in range(at, at + 32)]
            link.send(*[(OPEN, i, 0, target) for i in ids], *[(DATAGRAM, i, 0, b"x") for i in ids])
        ping = (peer.PING, 0, 1)
        link.send(ping)
        link.wait(peer.PONG)
        with open(f"/proc/{self.tunnel_.server.popen.pid}/status", encoding="ascii") as file:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1))
        self.assertLess(peak, 80 * 1024, "16 MiB for them all, and some 1.2 KB for each flow")

    def test_what_was_refused_is_audited_as_that_whatever_the_client_does_then(self):
        link, closed = self.join(), free_port()
        for number, kind in enumerate((peer.TCP, peer.UDP)):
            link.send((OPEN, 4 * number + 1, 0, opening(kind, name("10.1.2.3", 7))))
            link.send((OPEN, 4 * number + 3, 0, opening(kind, name("localhost", closed))), *[(DATAGRAM, 7, 0, b"x")] * number)
            link.wait(RESET, channel=4 * number + 1)
            link.wait(RESET, channel=4 * number + 3)
        link.close()  # nothing was acknowledged
        tag = link.session.hex()[:8]
        self.tunnel_.server.wait_log(f"session over session={tag} ")
        reasons = [re.search(rf"session={tag} .*ch={channel} .*reason=\"(.*)\"", self.tunnel_.server.log).group(1) for channel in (1, 3, 5, 7)]
        self.assertEqual(reasons, ["forbidden", "connection refused"] * 2)

    def test_words_of_a_client_forge_no_value_in_the_log(self):
        link = self.join(parameters=parameter(1, b'lap user=root top'))
        forged = b'x user=root reason="y" \xc2\x9b2J'
        link.send((OPEN, 1, 0, opening(peer.TCP, name(forged, 80), parameter(1, name(forged, 80)))))
        link.wait(RESET)
        link.send((OPEN, 3, 0, opening(peer.UNIX, name(b"/" + forged, 0, 5))))
        link.wait(RESET)
        link.send((RESET, 1, 0, b"\0\0"), (RESET, 3, 0, b"\0\0"), (CLOSE, 0, 0, struct.pack("!H", 2) + b'bye" user=root'))
        self.tunnel_.server.wait_log(r"session over .*client=lap\?user=root\?top .*reason=\"bye' user=root\"$")
        for line in self.tunnel_.server.log.splitlines():
            self.assertNotRegex(line, r'^[^"]* user=root|[\x80-\x9f]')


class Servers(Case):
    """A server of the test's own, and a client with reverse forwards: one remote, one proxy."""

    def setUp(self):
        super().setUp()
        self.remote, self.allowed, self.other = (self.service() for _ in range(3))
        listener = peer.Server()
        self.addCleanup(listener.close)
        key_file, _ = self.keygen()
        forwards = [{"reverse": True, "listen": "127.0.0.1:1001", "remote": f"127.0.0.1:{self.remote.port}"},
                    {"reverse": True, "listen": "127.0.0.1:1002", "kind": "socks", "allow": [f"127.0.0.1:{self.allowed.port}"]}]
        path = self.write("client.yaml", yaml({"server": f"ws://127.0.0.1:{listener.port}/", "key_file": key_file,
                                               "connections": 1, "forwards": forwards}) + "\n")
        self.client = self.start_tws("client", "client", "--config", path)
        with open(key_file, encoding="ascii") as file:
            self.link = listener.accept(file.read())
        self.addCleanup(self.link.close)
        self.listening = [self.link.wait(OPEN)[1] for _ in forwards]
        self.link.send(*[(OPENED, channel, 0, address("127.0.0.1", 1001 + i)) for i, channel in enumerate(self.listening)])
        self.next = 2

    def attempt(self, kind, target, channel):
        """OPENED, or RESET's code."""
        self.link.send((OPEN, self.next, 0, opening(kind, target, parameter(4, struct.pack("!I", channel)))))
        frame = self.link.wait(OPENED, RESET, channel=self.next)
        self.link.send((RESET, self.next, 0, b"\0\0"))
        self.next += 2
        return OPENED if frame[0] == OPENED else struct.unpack("!H", frame[3][:2])[0]

    def test_a_server_chooses_nothing_that_the_client_did_not_say(self):
        forward, proxy = self.listening
        inside, outside = (address("127.0.0.1", service.port) for service in (self.allowed, self.other))
        anything = [(peer.TCP, outside), (peer.UDP, outside), (peer.UNIX, name("/run/x", 0, 5)), (peer.TUN, address("0.0.0.0", 0)),
                    (peer.LISTEN, address("0.0.0.0", 0))]
        for channel in (0x7fff, forward + 1, proxy + 2):
            self.assertEqual(self.attempt(peer.TCP, inside, channel), 8)
        for kind, target in anything:
            self.assertEqual(self.attempt(kind, target, forward), OPENED, "it is the remote's, whatever was asked")
            self.assertEqual(self.attempt(kind, target, proxy), 8)
        spellings = [address("::ffff:127.0.0.1", self.other.port), name("127.0.0.1", self.other.port),
                     name("2130706433", self.other.port), name("0x7f.1", self.other.port), name("localhost.", self.other.port)]
        for target in spellings:
            self.assertEqual(self.attempt(peer.TCP, target, proxy), 8)
        self.assertEqual(self.attempt(peer.UDP, inside, proxy), 8, "a proxy without datagrams")
        self.assertEqual(self.attempt(peer.TCP, inside, proxy), OPENED)
        wait_until(lambda: self.remote.accepted == len(anything), "each came to the remote")
        self.assertEqual(self.other.accepted, 0)
