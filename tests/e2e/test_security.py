"""Strangers, wrong keys, wrong certificates, forbidden targets: each refused, and said why in one
clear line."""
import os

from tws_e2e import (WAIT, Case, ask, connect, is_listening, make_certificate, read_all, wait_until)

UPGRADE = ("GET /tws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: {}\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n")
OURS = f"Sec-WebSocket-Protocol: tws.2\r\nTws-Session: {'A' * 22}\r\n"


def is_closed(port):
    """A forwarded connection to nowhere ends without a byte."""
    with connect(port, timeout=3 * WAIT) as peer:
        try:
            return peer.recv(1) == b""
        except ConnectionResetError:
            return True


class Keys(Case):
    def test_a_wrong_key_is_refused_and_both_sides_say_so(self):
        tunnel = self.tunnel(self.service().port, start=False)
        tunnel.client_settings["key_file"], _ = self.keygen("stranger")
        tunnel.start_server()
        tunnel.start_client()
        tunnel.client.wait_log(r"(?i)\bkey\b")
        tunnel.server.wait_log(r"handshake refused")
        self.assertEqual(tunnel.client.status[:1], "0")

    def test_a_wrong_passphrase_is_refused(self):
        target = self.service()
        server = {"keys_file": None, "passwd": "correct horse battery staple"}
        tunnel = self.tunnel(target.port, plain=True, start=False)
        tunnel.server_settings = {"listen": tunnel.server_settings["listen"], "passwd": server["passwd"]}
        tunnel.client_settings.pop("key_file")
        tunnel.client_settings["passwd"] = "wrong horse battery staple"
        tunnel.start_server()
        tunnel.start_client()
        tunnel.server.wait_log(r"handshake refused")
        tunnel.client.wait_log(r"(?i)key|passwd|passphrase")

    def test_a_server_does_not_reach_what_the_rules_do_not_name(self):
        named, other = self.service(), self.service()
        tunnel = self.tunnel(named.port, other.port, allow=[f"127.0.0.1:{named.port}"])
        self.assertTrue(ask(tunnel.ports[0]))
        self.assertTrue(is_closed(tunnel.ports[1]))
        self.assertEqual(other.accepted, 0)
        tunnel.server.wait_log(rf"forbidden.*|.*{other.port}.*forbidden")

    def test_a_name_that_resolves_to_a_forbidden_address_is_refused(self):
        target = self.service()
        tunnel = self.tunnel(f"localhost:{target.port}", allow=["192.0.2.0/24:1-65535"])
        self.assertTrue(is_closed(tunnel.port))
        self.assertEqual(target.accepted, 0)


class Certificates(Case):
    def refuses(self, pattern, **client):
        tunnel = self.tunnel(self.service().port, start=False)
        tunnel.client_settings.update(client)
        for key in [key for key, value in client.items() if value is None]:
            del tunnel.client_settings[key]
        tunnel.start_server()
        tunnel.start_client()
        tunnel.client.wait_log(pattern)
        self.assertNotIn("link up", tunnel.client.log)
        return tunnel

    def test_a_certificate_nobody_signed_is_refused(self):
        self.refuses(r"(?i)certificat", ca_file=None)

    def test_a_certificate_of_another_authority_is_refused(self):
        other, _ = make_certificate(self.folder, "other")
        self.refuses(r"(?i)certificat", ca_file=other)

    def test_insecure_takes_any_certificate_and_warns(self):
        other, _ = make_certificate(self.folder, "other")
        tunnel = self.tunnel(self.service().port, client={"insecure": True, "ca_file": other})
        self.assertTrue(ask(tunnel.port))
        tunnel.client.wait_log(r"(?i)warn.*insecure|insecure")

    def with_subject(self, subject, host):
        tunnel = self.tunnel(self.service().port, start=False)
        nginx = self.start_nginx(tunnel.server_port, subject)
        wait_until(lambda: is_listening(nginx.port), "nginx listens")
        tunnel.nginx = nginx
        tunnel.client_settings.update(server=f"wss://{host}:{nginx.port}/tws", ca_file=nginx.certificate)
        tunnel.start_server()
        tunnel.start_client()
        return tunnel

    def test_a_trusted_certificate_for_another_name_is_refused(self):
        for host, subject in (("localhost", "DNS:example.com"), ("127.0.0.1", "DNS:localhost,IP:127.0.0.2"),
                              ("[::1]", "DNS:localhost,IP:::2,IP:127.0.0.1")):
            with self.subTest(host=host):
                tunnel = self.with_subject(subject, host)
                tunnel.client.wait_log(r"(?i)certificat|host ?name|mismatch")
                self.assertNotIn("link up", tunnel.client.log)

    def test_a_trusted_certificate_for_the_name_or_address_is_taken(self):
        for host, subject in (("localhost", "DNS:localhost"), ("127.0.0.1", "IP:127.0.0.1"), ("[::1]", "IP:::1")):
            with self.subTest(host=host):
                tunnel = self.with_subject(subject, host)
                tunnel.wait_links()
                self.assertTrue(ask(tunnel.port))

    def test_the_environment_names_the_authorities(self):
        tunnel = self.tunnel(self.service().port, start=False)
        certificate = tunnel.client_settings.pop("ca_file")
        tunnel.start_server()
        path = tunnel.write_client()
        tunnel.client = self.start_tws("client", "client", "--config", path,
                                       env=dict(os.environ, SSL_CERT_FILE=certificate))
        tunnel.wait_links()
        self.assertTrue(ask(tunnel.port))


class Strangers(Case):
    """What a scanner sees on the server's port."""

    def setUp(self):
        super().setUp()
        self.target = self.service()

    def request(self, port, text):
        with connect(port) as peer:
            peer.sendall(text.encode())
            peer.settimeout(WAIT)
            answer = b""
            while b"\r\n\r\n" not in answer:
                try:
                    piece = peer.recv(4096)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                answer += piece
            return answer.decode(errors="replace")

    def test_anything_but_our_upgrade_gets_a_404(self):
        tunnel = self.tunnel(self.target.port, plain=True)
        for text in ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /tws HTTP/1.1\r\nHost: x\r\n\r\n",
                     "HEAD /admin.php HTTP/1.1\r\nHost: x\r\n\r\n"):
            with self.subTest(text=text):
                self.assertRegex(self.request(tunnel.server_port, text), r"^HTTP/1\.1 404 ")
        self.assertTrue(ask(tunnel.port))

    def test_other_upgrades_and_connect_never_switch_protocols(self):
        tunnel = self.tunnel(self.target.port, plain=True)
        for text in (UPGRADE.format("h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), UPGRADE.format("raw", ""),
                     "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
                     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4\0\0\0\0\0"):
            with self.subTest(text=text[:30]):
                self.assertNotRegex(self.request(tunnel.server_port, text), r"^HTTP/1\.1 (101|200) ")
        self.assertTrue(ask(tunnel.port))

    def test_another_path_than_the_configured_one_is_not_a_tunnel(self):
        tunnel = self.tunnel(self.target.port, plain=True, server={"path": "/tws"})
        text = UPGRADE.format("websocket", OURS)
        self.assertRegex(self.request(tunnel.server_port, text.replace("/tws", "/other")), r"^HTTP/1\.1 404 ")

    def test_a_folder_is_shown_as_decoy(self):
        site = os.path.join(self.folder, "site")
        os.mkdir(site)
        self.write("site/index.html", "<h1>Nothing to see</h1>\n", 0o644)
        tunnel = self.tunnel(self.target.port, plain=True, server={"decoy": site})
        with connect(tunnel.server_port) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = read_all(peer).decode()
        self.assertRegex(answer, r"^HTTP/1\.1 200 ")
        self.assertIn("Nothing to see", answer)
        self.assertNotRegex(self.request(tunnel.server_port, "GET /../keys.yaml HTTP/1.1\r\nHost: x\r\n\r\n"), "users:")

    def test_garbage_and_slow_strangers_do_not_disturb_clients(self):
        tunnel = self.tunnel(self.target.port, plain=True)
        silent = [connect(tunnel.server_port) for _ in range(50)]
        for _ in range(20):
            with connect(tunnel.server_port) as peer:
                peer.sendall(os.urandom(3000))
        self.assertTrue(ask(tunnel.port))
        for peer in silent:
            peer.close()

    def test_a_stranger_who_upgrades_and_says_nothing_is_closed_in_time(self):
        tunnel = self.tunnel(self.target.port, plain=True)
        with connect(tunnel.server_port, timeout=3 * WAIT) as peer:
            peer.sendall(UPGRADE.format("websocket", OURS).encode())
            try:
                answer = read_all(peer)
            except ConnectionResetError:
                return
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
