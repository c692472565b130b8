"""What a user reads when something is wrong: one clear line that names the thing and says what to do,
and an exit code that tells usage (2), configuration (78) and run time (1) apart."""
import base64
import hashlib
import os
import re
import socket

from tws_e2e import WAIT, Case, connect, free_port, wait_until, yaml

RUN_TIME, USAGE, CONFIGURATION = 1, 2, 78
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answers(status, *headers):
    """A web server that says the same to everyone."""
    text = "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()

    def serve(peer):
        peer.recv(4096)
        peer.sendall(text)
    return serve


def speaks_websocket(protocol, first):
    """A WebSocket server that is no tws: it agrees to everything and says `first`."""
    def serve(peer):
        request = peer.recv(4096).decode()
        key = re.search(r"(?i)sec-websocket-key: (\S+)", request).group(1)
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        named = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        peer.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Accept: {accept}\r\n{named}\r\n".encode() + first)
        peer.recv(4096)
    return serve


def says(greeting):
    def serve(peer):
        peer.recv(4096)
        peer.sendall(greeting)
    return serve


def stays_silent(peer):
    peer.settimeout(3 * WAIT)
    while peer.recv(4096):
        pass


class Client(Case):
    def start_client(self, url, **settings):
        if "key_file" not in settings and "passwd" not in settings:
            settings["key_file"], _ = self.keygen()
        port = free_port()
        path = self.write("client.yaml", yaml({"server": url, "forwards": [{"listen": f"127.0.0.1:{port}",
                                                                           "remote": "127.0.0.1:1"}], **settings}))
        env = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return self.start_tws("client", "client", "--config", path, env=env).wait_ready()

    def complains(self, url, *words, **settings):
        """The client writes one warning with these words, and goes on trying."""
        client = self.start_client(url, **settings)
        line = client.wait_log(r".*cannot connect.*", 3 * WAIT).group(0)
        for word in words:
            self.assertIn(word, line)
        self.assertTrue(client.is_running())
        return client


class WrongServer(Client):
    def test_http_answers_say_where_to_look(self):
        for status, words in (("404 Not Found", ("HTTP 404", "path", "Upgrade")),
                              ("200 OK", ("HTTP 200", "an ordinary page", "path")),
                              ("301 Moved", ("HTTP 301", "final URL")),
                              ("400 Bad Request", ("HTTP 400", "wss://")),
                              ("403 Forbidden", ("HTTP 403", "forbids")),
                              ("426 Upgrade Required", ("HTTP 426", "proxy_http_version")),
                              ("502 Bad Gateway", ("HTTP 502", "tws server", "running")),
                              ("503 Unavailable", ("HTTP 503", "tws server")),
                              ("504 Gateway Time-out", ("HTTP 504", "does not answer")),
                              ("418 Teapot", ("HTTP 418", "not a tunnel"))):
            with self.subTest(status=status):
                port = self.service(answers(status, "Location: http://127.0.0.1/")).port
                self.complains(f"ws://127.0.0.1:{port}/tws", f"127.0.0.1:{port}", *words)

    def test_what_is_no_web_server_is_told_from_one(self):
        for handler in (says(b"SSH-2.0-OpenSSH_9.2\r\n"), lambda peer: None):
            port = self.service(handler).port
            self.complains(f"ws://127.0.0.1:{port}/", "without an HTTP answer", "port")

    def test_a_server_without_tls_is_named(self):
        port = self.service(answers("400 Bad Request")).port
        self.complains(f"wss://127.0.0.1:{port}/tws", "TLS", "no TLS at this port")

    def test_websocket_that_is_not_ours_is_named(self):
        for protocol, first in ((None, b""), ("chat", b""), ("tws.2", b"\x82\x05hello"), ("tws.2", b"\x81\x05hello")):
            with self.subTest(protocol=protocol, first=first):
                port = self.service(speaks_websocket(protocol, first)).port
                self.complains(f"ws://127.0.0.1:{port}/tws", "not a tws/2 server" if first[:1] == b"\x82" else "does not speak tws.2")

    def test_a_server_that_never_answers_is_named(self):
        for handler in (stays_silent, speaks_websocket("tws.2", b"")):
            port = self.service(handler).port
            self.complains(f"ws://127.0.0.1:{port}/tws", "timed out", "does not answer")

    def test_a_reason_is_written_once_and_not_at_every_try(self):
        port = self.service(answers("404 Not Found"))
        client = self.complains(f"ws://127.0.0.1:{port.port}/tws", "404")
        wait_until(lambda: port.accepted >= 4, "four attempts")
        self.assertEqual(client.log.count("cannot connect"), 1)
        client.wait_told(r"STATUS=0 of 2 links up.*404.*")


class Unreachable(Client):
    def test_a_closed_port_is_named(self):
        port = free_port()
        self.complains(f"ws://127.0.0.1:{port}/", f"127.0.0.1:{port}", "Connection refused", "nothing listens")

    def test_an_unknown_host_is_named(self):
        self.complains("wss://no-such-host.invalid/tws", "resolve", "no-such-host.invalid", "DNS")

    def test_a_firewall_that_drops_is_told_from_a_closed_port(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)  # and nobody accepts: the kernel drops what does not fit
            port = listener.getsockname()[1]
            crowd = [socket.socket() for _ in range(4)]
            for peer in crowd:
                peer.setblocking(False)
                peer.connect_ex(("127.0.0.1", port))
            self.complains(f"ws://127.0.0.1:{port}/", f"127.0.0.1:{port}", "no answer within", "firewall")
            for peer in crowd:
                peer.close()

    def test_what_a_proxy_says_is_named(self):
        for status, words in (("407 Proxy Authentication Required", ("HTTP 407", "user or password")),
                              ("403 Forbidden", ("HTTP 403", "forbids")), ("502 Bad Gateway", ("HTTP 502", "cannot reach"))):
            port = self.service(answers(status)).port
            self.complains("wss://example.com/tws", "proxy", *words, proxy=f"http://127.0.0.1:{port}")
        self.complains("wss://example.com/tws", "connect to proxy", "refused", proxy=f"http://127.0.0.1:{free_port()}")


class NginxBetween(Client):
    """nginx as people really set it up wrongly."""

    def test_nginx_without_tws_server_behind_it(self):
        nginx = self.start_nginx(free_port())
        self.complains(f"wss://localhost:{nginx.port}/tws", "HTTP 502", "tws server", ca_file=nginx.certificate)

    def test_another_path_than_nginx_has(self):
        nginx = self.start_nginx(free_port())
        self.complains(f"wss://localhost:{nginx.port}/tunnel", "HTTP 404", "path", ca_file=nginx.certificate)

    def test_ws_to_a_tls_port(self):
        nginx = self.start_nginx(free_port())
        self.complains(f"ws://localhost:{nginx.port}/tws", "HTTP 400", "wss://")

    def test_a_certificate_nobody_signed(self):
        nginx = self.start_nginx(free_port())
        self.complains(f"wss://localhost:{nginx.port}/tws", "certificate", "self-signed", "ca_file")

    def test_a_certificate_of_another_host(self):
        nginx = self.start_nginx(free_port(), "DNS:example.net")
        self.complains(f"wss://localhost:{nginx.port}/tws", "certificate is not for localhost but for example.net",
                       ca_file=nginx.certificate)


class Keys(Case):
    def test_another_key_is_named_as_the_likely_reason_on_both_sides(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False)
        tunnel.client_settings["key_file"], _ = self.keygen("stranger")
        tunnel.start_server()
        tunnel.start_client()
        line = tunnel.client.wait_log(r".*cannot connect.*").group(0)
        self.assertIn("does not know our key", line)
        self.assertIn("key_file", line)
        self.assertIn("passwd", line)
        self.assertIn("key", tunnel.server.wait_log(r".*handshake refused.*").group(0))

    def test_encrypt_that_does_not_agree_is_named(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False, server={"encrypt": "require"},
                             client={"encrypt": "off"})
        tunnel.start_server()
        tunnel.start_client()
        self.assertIn("encrypt", tunnel.client.wait_log(r".*cannot connect.*").group(0))

    def test_the_first_link_is_not_called_a_resumption(self):
        tunnel = self.tunnel(self.service().port, plain=True)
        for process in (tunnel.client, tunnel.server):
            process.wait_log(r"link up")
            self.assertNotIn("session resumed", process.log)


class Targets(Case):
    def test_a_target_that_was_not_reached_is_named_to_the_client(self):
        closed, forbidden = free_port(), self.service()
        tunnel = self.tunnel(closed, f"no-such-host.invalid:{closed}", forbidden.port, plain=True,
                             allow=[f"127.0.0.1:{closed}", f"no-such-host.invalid:{closed}"])
        for port, target, word in zip(tunnel.ports, tunnel.targets,
                                      ("connection refused", "name not resolved", "no rule of the user allows")):
            with self.subTest(target=target):
                try:
                    with connect(port) as peer:
                        self.assertEqual(peer.recv(1), b"")
                except ConnectionResetError:
                    pass
                line = tunnel.client.wait_log(rf".*warn channel reset.*target={re.escape(str(target))} .*").group(0)
                self.assertIn(word, line)


class Files(Case):
    def rejects(self, pattern, text, kind="client"):
        path = self.write(f"{kind}.yaml", text)
        for arguments in (["check", f"--{kind}", path], [kind, "--config", path]):
            code, _, errors = self.run_tws(*arguments)
            self.assertEqual(code, CONFIGURATION, errors)
            self.assertRegex(errors, pattern)

    def test_mistakes_in_a_client_file_are_placed_and_explained(self):
        key_file, _ = self.keygen()
        good = f"server: wss://example.com/tws\nkey_file: {key_file}\n"
        forward = "forwards:\n  - listen: 127.0.0.1:1\n    remote: 127.0.0.1:2\n"
        for pattern, text in (
                (r":1:1: .*\"servr\".*nearest is \"server\"", good.replace("server", "servr") + forward),
                (r":1: server: .*expected wss://host", good.replace("wss://", "") + forward),
                (r":3:14: connections: .*1 to 16", good + "connections: 99\n" + forward),
                (r":3:10: timeout: .*duration", good + "timeout: 3 hours\n" + forward),
                (r":3:1: server is given twice, first on line 1", good + "server: wss://example.com/\n" + forward),
                (r":5:13: remote: .*host and port", good + forward.replace("127.0.0.1:2", "2")),
                (r":4: forward of kind tcp without remote: say where", good + forward.partition("    remote")[0]),
                (r":5:5: unknown key \"remot\", the nearest is \"remote\"", good + forward.replace("remote", "remot")),
                (r"nothing to forward.*listen and remote", good),
                (r"no key: give key_file", "server: wss://example.com/tws\n" + forward),
                (r":\d+:\d+: this is not YAML.*tab", good + "\tlisten: x\n"),
                (r":3: proxy: expected http://, socks5://", good + "proxy: ftp://127.0.0.1:1\n" + forward)):
            with self.subTest(pattern=pattern):
                self.rejects(pattern, text)

    def test_files_that_are_missing_or_unreadable_are_named_where_they_are_asked_for(self):
        key_file, _ = self.keygen()
        text = ("server: wss://example.com/tws\nkey_file: {}\nforwards:\n  - listen: 127.0.0.1:1\n"
                "    remote: 127.0.0.1:2\n{}")
        folder = os.path.join(self.folder, "folder")
        os.mkdir(folder)
        self.rejects(r":2: /no/such/key: No such file", text.format("/no/such/key", ""))
        self.rejects(r":2: .*folder: .*not a regular file", text.format(folder, ""))
        self.rejects(r":6: ca_file /no/such/ca: No such file", text.format(key_file, "ca_file: /no/such/ca\n"))
        self.rejects(r":2: .*expected one line tws2-key-", text.format(self.write("empty.key", "nonsense\n"), ""))
        os.chmod(key_file, 0o640)
        self.rejects(r":2: .*others can read.*chmod 600 ", text.format(key_file, ""))

    def test_mistakes_in_a_keys_file_are_placed_and_explained(self):
        _, key = self.keygen()
        for pattern, text in ((r":2:5: this user has no \"allow\"", f"users:\n  - name: x\n    key: {key}\n"),
                              (r":4:13: allow: found \"foo bar\", expected a target",
                               f"users:\n  - name: x\n    key: {key}\n    allow: [\"foo bar\"]\n"),
                              (r":2: user \"x\": key: expected tws2-key-", "users:\n  - name: x\n    key: tws2-key-12\n    allow: []\n")):
            with self.subTest(pattern=pattern):
                self.rejects(pattern, f"listen: 127.0.0.1:1\nkeys_file: {self.write('keys.yaml', text)}\n", "server")


class Uplinks(Client):
    def test_a_device_or_address_that_is_not_there_is_named(self):
        for uplink, words in (({"name": "wifi", "interface": "nosuch0"}, ("uplink=wifi", "over nosuch0", "No such device")),
                              ({"name": "lte", "source": "192.0.2.77"}, ("uplink=lte", "from 192.0.2.77", "source address"))):
            self.complains(f"ws://127.0.0.1:{free_port()}/", *words, uplinks=[uplink])


class Ports(Case):
    def test_a_busy_port_says_how_to_find_who_has_it(self):
        busy = self.service().port
        code, _, errors = self.run_tws("server", "-l", f"127.0.0.1:{busy}", "-p", "several words of a passphrase")
        self.assertEqual(code, RUN_TIME)
        self.assertRegex(errors, rf"cannot listen listen=127\.0\.0\.1:{busy} .*Address already in use.*ss -ltnp")

    def test_an_address_of_another_machine_is_explained(self):
        code, _, errors = self.run_tws("server", "-l", f"192.0.2.1:{free_port()}", "-p", "several words of a passphrase")
        self.assertEqual(code, RUN_TIME)
        self.assertRegex(errors, r"cannot listen .*this machine has no such address")

    def test_wrong_usage_is_one_line_and_a_hint(self):
        for arguments in (["client", "--colour"], ["server", "-l"], ["client", "extra"]):
            code, out, errors = self.run_tws(*arguments)
            self.assertEqual((code, out), (USAGE, ""))
            self.assertLessEqual(errors.count("\n"), 2)
            self.assertIn("--help", errors)
