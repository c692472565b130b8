"""What peers that hold a key, but follow no rules, can do to the other side: nothing that lasts."""
import struct

import peer
from peer import CLOSE, DATAGRAM, OPEN, RESET, name, opening, parameter
from tws_e2e import Case, ask, free_port


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
