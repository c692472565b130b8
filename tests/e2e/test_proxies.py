"""Ways in whose clients say where they go: SOCKS, HTTP, both on one port; and PROXY protocol headers in
front. Real clients and proxies: curl, ssh through nc, haproxy, nginx; bytes of our own for what those
would never send."""
import contextlib
import getpass
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import unittest

import netns
from tws_e2e import MIB, WAIT, Case, connect, free_port, is_listening, needs, read_all, read_exactly, wait_until, yaml

PAGE = b"a page that came through\n"
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


def serve_pages(peer):
    """HTTP/1.1: /echo answers with the request, anything else with a page; closes when it is told to."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            piece = peer.recv(65536)
            if not piece:
                return
            data += piece
        head, _, data = data.partition(b"\r\n\r\n")
        fields = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:]}
        while len(data) < int(fields.get(b"content-length", 0)):
            data += peer.recv(65536)
        body, data = data[:int(fields.get(b"content-length", 0))], data[int(fields.get(b"content-length", 0)):]
        text = b"" if head.startswith(b"HEAD") else head + b"\n\n" + body if b"/echo" in head else PAGE
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        if fields.get(b"connection", b"").lower() == b"close":
            return


def refused_port():
    """A port that answers with RST."""
    return free_port()


def socks5_request(host, port, command=1):
    try:
        return struct.pack(">BBBB4sH", 5, command, 0, 1, socket.inet_pton(socket.AF_INET, host), port)
    except OSError:
        return struct.pack(">BBBBB", 5, command, 0, 3, len(host)) + host.encode() + struct.pack(">H", port)


def http_status(peer):
    """The status of an answer that is read to the end of the connection, and its text."""
    answer = read_all(peer)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(re.search(rb"Content-Length: (\d+)", head).group(1)) == len(body), answer
    return int(head.split()[1]), body.decode()


def start(tunnel):
    """Its two ends, up to their first link: connections wait for that, not for every link's report."""
    tunnel.start_server()
    tunnel.start_client()
    tunnel.client.wait_log("link up")


class Proxies(Case):
    def proxy(self, kind, *, allow=None, server=None, **record):
        """A tunnel whose only way in is of that kind, at tunnel.proxy."""
        port = free_port()
        self.record = {"kind": kind, "listen": f"127.0.0.1:{port}", **record}
        tunnel = self.tunnel("127.0.0.1:1", plain=True, allow=allow or ["*"], server=server, start=False,
                             client={"forwards": [self.record]})
        tunnel.proxy = port
        start(tunnel)
        return tunnel

    def curl(self, *options, fails=None):
        """curl's output; with `fails`, it has to fail and to say that."""
        done = subprocess.run(["curl", "-sS", "--noproxy", "", "--max-time", "20", *options], capture_output=True,
                              check=False)
        said = done.stderr.decode() + done.stdout.decode(errors="replace")
        if fails is None:
            self.assertEqual(done.returncode, 0, said)
        else:
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(fails, said)
        return done.stdout

    def reload(self, tunnel):
        tunnel.write_client()
        tunnel.client.signal(signal.SIGHUP)

    # ---- SOCKS ----

    def socks5(self, tunnel, host, port, **more):
        """The reply to a request without a login, and the connection."""
        peer = connect(tunnel.proxy)
        peer.sendall(b"\x05\x01\x00" + socks5_request(host, port, **more))
        self.assertEqual(read_exactly(peer, 2), b"\x05\x00")
        reply = read_exactly(peer, 4)
        self.assertIn(reply[3], (1, 4))
        read_exactly(peer, 6 if reply[3] == 1 else 18)
        self.assertEqual((reply[0], reply[2]), (5, 0))
        return reply[1], peer

    @needs("curl")
    def test_curl_speaks_every_kind_of_socks(self):
        web, web6 = self.service(serve_pages), self.service(serve_pages, host="::1")
        tunnel = self.proxy("socks")
        for scheme in ("socks4", "socks4a", "socks5", "socks5h"):
            with self.subTest(scheme=scheme):
                via = f"{scheme}://127.0.0.1:{tunnel.proxy}"
                self.assertEqual(self.curl("-x", via, f"http://127.0.0.1:{web.port}/"), PAGE)
                if scheme in ("socks4a", "socks5h"):
                    self.assertEqual(self.curl("-x", via, f"http://localhost:{web.port}/"), PAGE)
                if scheme.startswith("socks5"):
                    self.assertEqual(self.curl("-x", via, f"http://[::1]:{web6.port}/"), PAGE)

    @needs("curl")
    def test_socks_asks_for_user_and_password(self):
        web = self.service(serve_pages)
        tunnel = self.proxy("socks", user="alice", password="a:b c")
        url = f"http://127.0.0.1:{web.port}/"
        right = "alice:a%3Ab%20c"
        self.assertEqual(self.curl("-x", f"socks5h://{right}@127.0.0.1:{tunnel.proxy}", url), PAGE)
        self.curl("-x", f"socks5h://alice:wrong@127.0.0.1:{tunnel.proxy}", url, fails="User was rejected")
        self.curl("-x", f"socks5h://127.0.0.1:{tunnel.proxy}", url, fails="No authentication method was acceptable")
        self.curl("-x", f"socks4a://alice@127.0.0.1:{tunnel.proxy}", url, fails="rejected or failed")
        self.assertEqual(web.accepted, 1)
        # a reload changes the password, and no connection
        self.record["password"] = "another"
        self.reload(tunnel)
        tunnel.client.wait_log("reloaded")
        self.assertEqual(self.curl("-x", f"socks5h://alice:another@127.0.0.1:{tunnel.proxy}", url), PAGE)
        self.curl("-x", f"socks5h://{right}@127.0.0.1:{tunnel.proxy}", url, fails="User was rejected")
        self.assertNotIn("another", tunnel.client.log)

    def test_a_client_that_offers_only_a_login_is_served_where_none_is_asked_for(self):
        echo = self.service()
        tunnel = self.proxy("socks")
        with connect(tunnel.proxy) as peer:
            peer.sendall(b"\x05\x01\x02" + b"\x01\x03any\x03any" + socks5_request("127.0.0.1", echo.port) + b"first words")
            self.assertEqual(read_exactly(peer, 4), b"\x05\x02\x01\x00")
            self.assertEqual(read_exactly(peer, 10)[:2], b"\x05\x00")
            self.assertEqual(read_exactly(peer, 11), b"first words")

    def test_socks_replies_tell_the_true_reason(self):
        echo = self.service()
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        fillers = [socket.socket() for _ in range(4)]  # its backlog: the kernel answers no more
        for filler in fillers:
            filler.setblocking(False)
            self.addCleanup(filler.close)
            filler.connect_ex(silent.getsockname())
        tunnel = self.proxy("socks", allow=["127.0.0.0/8", "*.invalid", "localhost"], server={"connect_timeout": "500ms"})
        for what, host, port, reply in (("granted", "127.0.0.1", echo.port, 0), ("forbidden", "10.0.0.1", 80, 2),
                                        ("unresolved", "nowhere.invalid", 80, 4),
                                        ("refused", "127.0.0.1", refused_port(), 5),
                                        ("silent", "127.0.0.1", silent.getsockname()[1], 6)):
            with self.subTest(what=what):
                got, peer = self.socks5(tunnel, host, port)
                with peer:
                    self.assertEqual(got, reply)
                    if reply:
                        self.assertEqual(peer.recv(1), b"")
        for command, what in ((2, "BIND"), (0, "no such")):
            with self.subTest(command=what):
                got, peer = self.socks5(tunnel, "127.0.0.1", echo.port, command=command)
                self.assertEqual(got, 7)
                peer.close()
        with self.subTest(what="address type"), connect(tunnel.proxy) as peer:
            peer.sendall(b"\x05\x01\x00\x05\x01\x00\x05")
            self.assertEqual(read_all(peer), b"\x05\x00\x05\x08\x00\x01" + bytes(6))
        # a version 4 client has one word for all of it
        with self.subTest(what="socks4"), connect(tunnel.proxy) as peer:
            peer.sendall(b"\x04\x01" + struct.pack(">H", refused_port()) + b"\x7f\x00\x00\x01me\x00")
            self.assertEqual(read_all(peer), b"\x00\x5b" + bytes(6))

    @netns.needs_wires
    def test_socks_tells_an_unreachable_network_from_an_unreachable_host(self):
        net = netns.Machines(self)
        net.wire("a")
        port = free_port()
        key_file, key = self.keygen()
        keys = self.write("keys.yaml", yaml({"users": [{"name": "u", "key": key, "allow": ["*"]}]}))
        server = self.write("server.yaml", yaml({"listen": f"{netns.SERVER}:5202", "keys_file": keys}))
        client = self.write("client.yaml", yaml({"server": f"ws://{netns.SERVER}:5202/", "key_file": key_file,
                                                 "forwards": [{"kind": "socks", "listen": f"127.0.0.1:{port}"}]}))
        with net.inside(net.server):
            subprocess.run(["ip", "route", "add", "unreachable", "192.0.2.0/24"], check=True)
            self.start_tws("server", "server", "--config", server).wait_ready()
        with net.inside(net.client):
            started = self.start_tws("client", "client", "--config", client).wait_ready()
            started.wait_status(r"[1-9] of \d+ links? up.*")
            for host, reply in (("198.51.100.1", 3), ("192.0.2.1", 4)):
                with self.subTest(host=host), socket.create_connection(("127.0.0.1", port), WAIT) as peer:
                    peer.sendall(b"\x05\x01\x00" + socks5_request(host, 80))
                    self.assertEqual(read_exactly(peer, 4)[3], reply)
        for process in reversed(self.processes):
            process.stop()  # while their wire is still there

    def test_optimistic_answers_before_the_target_does(self):
        tunnel = self.proxy("proxy", optimistic=True)
        got, peer = self.socks5(tunnel, "127.0.0.1", refused_port())
        with peer:
            self.assertEqual(got, 0)
            with self.assertRaises(ConnectionResetError):
                peer.recv(1)
        with connect(tunnel.proxy) as peer:
            peer.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % refused_port())
            self.assertEqual(read_exactly(peer, 12), b"HTTP/1.1 200")
        echo = self.service()
        got, peer = self.socks5(tunnel, "127.0.0.1", echo.port)
        with peer:
            peer.sendall(b"hello")
            self.assertEqual(read_exactly(peer, 5), b"hello")

    @needs("ssh", "sshd", "ssh-keygen", "nc")
    def test_ssh_through_nc_speaks_socks_and_connect(self):
        port, options = self.start_sshd()
        tunnel = self.proxy("proxy")
        for how in ("5", "4", "connect"):
            with self.subTest(how=how):
                out = self.run_program(
                    "ssh", *options, "-o", f"ProxyCommand=nc -X {how} -x 127.0.0.1:{tunnel.proxy} %h %p", "-p", str(port),
                    f"{getpass.getuser()}@127.0.0.1", "echo $((6*7)); seq 100000 | tail -1")
                self.assertEqual(out.split(), ["42", "100000"])

    # ---- SOCKS for datagrams ----

    def associate(self, tunnel, host="127.0.0.1"):
        """The connection of an association, and where to send its datagrams."""
        peer = connect(tunnel.proxy, host)
        peer.sendall(b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6))
        self.assertEqual(read_exactly(peer, 2), b"\x05\x00")
        reply = read_exactly(peer, 4)
        self.assertEqual(reply[:3], b"\x05\x00\x00")
        family, n = (socket.AF_INET, 4) if reply[3] == 1 else (socket.AF_INET6, 16)
        address = socket.inet_ntop(family, read_exactly(peer, n))
        self.assertEqual(address, host)
        return peer, (address, struct.unpack(">H", read_exactly(peer, 2))[0])

    def datagrams(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(one.close)
        one.bind((host, 0))
        one.settimeout(WAIT)
        return one

    def udp_echo(self, host="127.0.0.1"):
        """A service that answers with "re: " and what it got; its port."""
        service = self.datagrams(host)
        service.settimeout(None)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    data, sender = service.recvfrom(65536)
                    service.sendto(b"re: " + data, sender)

        threading.Thread(target=serve, daemon=True).start()
        return service.getsockname()[1]

    def test_datagrams_go_to_many_targets_and_come_back_with_their_address(self):
        echo, other, echo6 = self.udp_echo(), self.udp_echo(), self.udp_echo("::1")
        tunnel = self.proxy("proxy")
        control, there = self.associate(tunnel)
        with control:
            peer = self.datagrams()
            for request, n in ((socks5_request("127.0.0.1", echo), 5), (socks5_request("127.0.0.1", other), 0),
                               (socks5_request("localhost", echo), 1200),
                               (b"\5\0\0\4" + socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">H", echo6), 7),
                               (socks5_request("127.0.0.1", echo), 30000)):
                header = b"\0\0\0" + request[3:]
                with self.subTest(header=header, n=n):
                    peer.sendto(header + b"x" * n, there)
                    self.assertEqual(peer.recv(65536), header + b"re: " + b"x" * n)
            # fragments, nonsense and strangers fall away; what follows them does not
            header = b"\0\0\0" + socks5_request("127.0.0.1", echo)[3:]
            stranger = self.datagrams()
            stranger.sendto(header + b"stranger", there)
            for nonsense in (b"", b"\0\0\0", b"\0\0\1" + header[3:] + b"fragment", b"\0\0\0\5\1/\0\0x"):
                peer.sendto(nonsense, there)
            peer.sendto(header + b"last", there)
            self.assertEqual(peer.recv(65536), header + b"re: last")
            stranger.setblocking(False)
            with self.assertRaises(BlockingIOError):
                stranger.recv(1)
        # the connection's end is the association's
        port = there[1]
        wait_until(lambda: not self.is_bound(port), "the association's socket is closed")

    def is_bound(self, port):
        return bool(subprocess.run(["ss", "-Hlnu", f"sport = :{port}"], check=True, capture_output=True,
                                   text=True).stdout.strip())

    def test_datagrams_keep_to_the_rules(self):
        allowed, forbidden = self.udp_echo(), self.udp_echo()
        tunnel = self.proxy("socks", allow=[f"udp/127.0.0.1:{allowed}"])
        control, there = self.associate(tunnel)
        with control:
            peer = self.datagrams()
            for port in (forbidden, allowed):
                peer.sendto(b"\0\0\0" + socks5_request("127.0.0.1", port)[3:] + b"hello", there)
            self.assertEqual(peer.recv(100)[-9:], b"re: hello")
            peer.setblocking(False)
            with self.assertRaises(BlockingIOError):
                peer.recv(1)
            tunnel.server.wait_log(f"target=127.0.0.1:{forbidden} .*reason=\"forbidden")
        tunnel.client_settings["no_udp"] = True
        self.reload(tunnel)
        tunnel.client.wait_log("reloaded")
        with connect(tunnel.proxy) as peer:
            peer.sendall(b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6))
            self.assertEqual(read_all(peer), b"\x05\x00\x05\x07\x00\x01" + bytes(6))

    @needs("dig")
    def test_dig_asks_over_a_socks_association(self):
        """dig speaks no SOCKS: a shim between puts the header on and takes it off."""
        dns = self.datagrams()
        dns.settimeout(None)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    query, sender = dns.recvfrom(4096)
                    question = query[12:12 + query[12:].index(b"\0") + 5]
                    dns.sendto(query[:2] + b"\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00" + question +
                               b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes([192, 0, 2, 77]), sender)

        threading.Thread(target=serve, daemon=True).start()
        tunnel = self.proxy("socks")
        control, there = self.associate(tunnel)
        front, back = self.datagrams(), self.datagrams()
        header = b"\0\0\0" + socks5_request("127.0.0.1", dns.getsockname()[1])[3:]

        def shim():
            with contextlib.suppress(OSError):
                while True:
                    query, sender = front.recvfrom(4096)
                    back.sendto(header + query, there)
                    front.sendto(back.recv(4096)[len(header):], sender)

        threading.Thread(target=shim, daemon=True).start()
        with control:
            out = self.run_program("dig", "@127.0.0.1", "-p", str(front.getsockname()[1]), "+short", "+tries=1",
                                   "+time=10", "+noedns", "host.example", "A")
        self.assertEqual(out.split(), ["192.0.2.77"])

    # ---- HTTP ----

    @needs("curl")
    def test_curl_uses_the_http_proxy(self):
        web, web6 = self.service(serve_pages), self.service(serve_pages, host="::1")
        tunnel = self.proxy("http")
        via = ["-x", f"http://127.0.0.1:{tunnel.proxy}"]
        self.assertEqual(self.curl(*via, f"http://127.0.0.1:{web.port}/"), PAGE)
        self.assertEqual(self.curl(*via, "-p", f"http://localhost:{web.port}/"), PAGE)
        self.assertEqual(self.curl(*via, f"http://[::1]:{web6.port}/"), PAGE)
        # one request after another, each by itself, and nothing of the proxy's reaches the server
        text = self.curl(*via, "--proxy-header", "Proxy-Secret: 1", "-H", "Connection: X-Gone", "-H", "X-Gone: 1",
                         f"http://127.0.0.1:{web.port}/echo/[1-3]?a=b").decode()
        for number in "123":
            self.assertIn(f"GET /echo/{number}?a=b HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n", text)
        self.assertEqual(text.count("Connection: close"), 3)
        self.assertNotIn("Proxy-Connection", text)
        self.assertNotIn("X-Gone", text)
        # bodies, with length and in chunks, with and without asking first
        sent = self.write("body", "b" * MIB)
        for more in ([], ["-H", "Expect:"]):
            text = self.curl(*via, *more, "--data-binary", f"@{sent}", f"http://127.0.0.1:{web.port}/echo")
            self.assertTrue(text.endswith(b"\n\n" + b"b" * MIB))
        self.assertIn(b"200 OK", self.curl(*via, "-I", f"http://127.0.0.1:{web.port}/"))

    @needs("curl")
    def test_http_asks_for_user_and_password(self):
        web = self.service(serve_pages)
        tunnel = self.proxy("http", user="alice", password="s3cr:t")
        via = ["-x", f"http://127.0.0.1:{tunnel.proxy}"]
        for more in ([], ["-p"]):
            text = self.curl(*via, *more, "-U", "alice:s3cr:t", f"http://127.0.0.1:{web.port}/echo")
            self.assertIn(b"GET /echo", text)
            self.assertNotIn(b"Authorization", text)
        self.curl(*via, "-p", "-U", "alice:wrong", f"http://127.0.0.1:{web.port}/", fails="407")
        self.assertEqual(self.curl(*via, "-o", "/dev/null", "-w", "%{http_code} %header{proxy-authenticate}",
                                   f"http://127.0.0.1:{web.port}/"), b'407 Basic realm="tws"')
        self.assertEqual(web.accepted, 2)
        self.assertNotIn("s3cr", tunnel.client.log)

    def test_http_answers_tell_the_true_reason(self):
        tunnel = self.proxy("http", allow=["127.0.0.0/8", "*.invalid"])
        for method in ("CONNECT {host}:{port}", "GET http://{host}:{port}/"):
            for host, port, status, text in (("10.0.0.1", 80, 403, "forbidden\n"),
                                             ("nowhere.invalid", 80, 502, "name not resolved\n"),
                                             ("127.0.0.1", refused_port(), 502, "connection refused\n")):
                with self.subTest(method=method, host=host), connect(tunnel.proxy) as peer:
                    peer.sendall((method + " HTTP/1.1\r\nContent-Length: 0\r\n\r\n").format(host=host, port=port).encode())
                    self.assertEqual(http_status(peer), (status, text))

    def test_nothing_is_smuggled_behind_a_request(self):
        heard = []

        def listen(peer):
            heard.append(read_all(peer))

        target = self.service(listen)
        tunnel = self.proxy("http")
        url = b"http://127.0.0.1:%d" % target.port
        second = b"GET http://127.0.0.1:1/second HTTP/1.1\r\n\r\n"
        chunks = b"5\r\nhello\r\n0\r\n\r\n"
        requests = {"none": (b"GET " + url + b"/ HTTP/1.1\r\n\r\n", b""),
                    "length": (b"PUT " + url + b"/ HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"hello"),
                    "chunks": (b"PUT " + url + b"/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", chunks)}
        for name, (head, body) in requests.items():
            for pieces in ([head + body + second], [head, body + second], [head + body[:3], body[3:], second, second]):
                with self.subTest(body=name, pieces=len(pieces)), connect(tunnel.proxy) as peer:
                    del heard[:]
                    for piece in pieces:
                        peer.sendall(piece)
                        wait_until(lambda: self.has_read(peer), "the piece is read")
                    peer.shutdown(socket.SHUT_WR)
                    got = wait_until(lambda: heard, "the target hears the end")[0]
                    self.assertTrue(got.startswith(head.split(b" ")[0] + b" / HTTP/1.1\r\nHost: 127.0.0.1:"))
                    self.assertEqual(got.partition(b"\r\n\r\n")[2], body)
        # chunks that two readers could read differently end the connection
        with connect(tunnel.proxy) as peer:
            del heard[:]
            peer.sendall(requests["chunks"][0] + b"5\r\nhel")
            wait_until(lambda: self.has_read(peer), "the piece is read")
            peer.sendall(b"lo\n0\n\n" + second)
            try:  # an error, as long as the target has not answered
                self.assertRegex(read_all(peer), rb"^HTTP/1\.1 [45]")
            except ConnectionResetError:
                pass
            self.assertNotIn(b"/second", b"".join(heard))

    def has_read(self, peer):
        """Whether the other end took all from its socket."""
        port = peer.getsockname()[1]
        listed = subprocess.run(["ss", "-Htn", f"dport = :{port}"], check=True, capture_output=True, text=True).stdout
        return not listed or listed.split()[1] == "0"

    # ---- both, and what is neither ----

    @needs("curl")
    def test_one_port_speaks_socks_and_http(self):
        web = self.service(serve_pages)
        tunnel = self.proxy("proxy", user="alice", password="secret")
        for scheme in ("socks5h", "http"):
            self.assertEqual(self.curl("-x", f"{scheme}://alice:secret@127.0.0.1:{tunnel.proxy}",
                                       f"http://127.0.0.1:{web.port}/"), PAGE)
        # the kind changes with a reload while the port stays open
        self.record["kind"] = "http"
        self.reload(tunnel)
        tunnel.client.wait_log("reloaded")
        self.assertEqual(self.curl("-x", f"http://alice:secret@127.0.0.1:{tunnel.proxy}",
                                   f"http://127.0.0.1:{web.port}/"), PAGE)
        self.curl("-x", f"socks5h://alice:secret@127.0.0.1:{tunnel.proxy}", f"http://127.0.0.1:{web.port}/", fails="")

    def test_nonsense_gets_the_protocol_s_own_error_and_one_line_a_second(self):
        tunnel = self.proxy("proxy")
        nonsense = ((b"\x16\x03\x01\x02\x00\x01\x00", b"HTTP/1.1 400 "), (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1 400 "),
                    (b"\x05\x00", b"\x05\xff"), (b"\x05\x01\x00\x05\x01\x00\x03\x00", b"\x05\x00\x05\x01"),
                    (b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", b"\x05\x00\x05\x07"),  # BIND
                    (b"\x04\x02\x00\x50\x7f\x00\x00\x01\x00", b"\x00\x5b"),
                    (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00", b"\x00\x5b"), (b"\x05\x01\x01", b"\x05\xff"),
                    (b"A" * 9000, b"HTTP/1.1 431 "), (b"GET http://h/ HTTP/1.1\r\n folded\r\n\r\n", b"HTTP/1.1 400 "))
        began = len(tunnel.client.log)
        for _ in range(8):
            for sent, answer in nonsense:
                with self.subTest(sent=sent[:20]), connect(tunnel.proxy) as peer:
                    peer.sendall(sent)
                    self.assertEqual(read_all(peer)[:len(answer)], answer)
        lines = [line for line in tunnel.client.log[began:].splitlines() if "connection refused" in line]
        self.assertIn("source=127.0.0.1:", lines[0])
        self.assertLess(len(lines), 8)
        # who says nothing holds nothing up, and all is gone in the end
        idle = [connect(tunnel.proxy) for _ in range(50)]
        echo = self.service()
        got, peer = self.socks5(tunnel, "127.0.0.1", echo.port)
        self.assertEqual(got, 0)
        peer.close()
        for one in idle:
            one.close()
        fds = f"/proc/{tunnel.client.popen.pid}/fd"
        wait_until(lambda: len(os.listdir(fds)) < 40, "descriptors are closed")

    def test_a_proxy_connection_waits_for_a_link_and_hears_when_none_comes(self):
        echo = self.service()
        tunnel = self.proxy("proxy")
        tunnel.client_settings["connect_timeout"] = "1s"
        self.reload(tunnel)
        tunnel.client.wait_log("reloaded")
        tunnel.server.stop()
        tunnel.wait_links(0)
        peers = {}
        for name, sent in (("socks", b"\x05\x01\x00" + socks5_request("127.0.0.1", echo.port) + b"patience"),
                           ("http", b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % echo.port)):
            peers[name] = connect(tunnel.proxy)
            peers[name].sendall(sent)
        self.assertEqual(read_all(peers["socks"]), b"\x05\x00\x05\x01\x00\x01" + bytes(6))
        self.assertEqual(http_status(peers["http"])[0], 503)
        tunnel.client_settings["connect_timeout"] = "20s"
        self.reload(tunnel)
        wait_until(lambda: tunnel.client.log.count("reloaded") == 2, "the time-out is another")
        with connect(tunnel.proxy) as peer:
            peer.sendall(b"\x05\x01\x00" + socks5_request("127.0.0.1", echo.port) + b"patience")
            self.assertEqual(read_exactly(peer, 2), b"\x05\x00")
            tunnel.start_server()
            self.assertEqual(read_exactly(peer, 10)[:2], b"\x05\x00")
            self.assertEqual(read_exactly(peer, 8), b"patience")

    def test_what_the_file_says_is_judged(self):
        for record, complaint in (({"kind": "socks", "remote": "h:1"}, "has a remote"),
                                  ({"kind": "tcp", "remote": "h:1", "user": "u", "password": "p"}, "has no use for user"),
                                  ({"kind": "http", "user": "u"}, "has a user without a password"),
                                  ({"kind": "http", "password": "p"}, "has a password without a user"),
                                  ({"kind": "tcp"}, "kind tcp without remote"),
                                  ({"kind": "socks", "trusted_file": "/nowhere"}, "trusted_file /nowhere: No such file")):
            key_file, _ = self.keygen()
            path = self.write("client.yaml", yaml({"server": "wss://h/", "key_file": key_file,
                                                   "forwards": [{"listen": "127.0.0.1:1", **record}]}))
            code, _, errors = self.run_tws("check", "--client", path)
            self.assertNotEqual(code, 0)
            self.assertIn(complaint, errors)
        path = self.write("client.yaml", yaml({"server": "wss://h/", "key_file": key_file,
                                               "forwards": [{"kind": "socks", "listen": ":1080"}]}))
        code, _, errors = self.run_tws("check", "--client", path)
        self.assertEqual(code, 0)
        self.assertIn("whoever reaches it uses the tunnel", errors)


def who(peer):
    """Says what it was sent, up to the end of a line."""
    data = b""
    while not data.endswith(b"\n"):
        piece = peer.recv(65536)
        if not piece:
            return
        data += piece
    peer.sendall(data)


class ProxyProtocol(Case):
    """A client behind a proxy in front of the tunnel's way in: the server's audit line tells its address."""

    def start_tunnel(self, *, kind="tcp", target=None, trusted=("127.0.0.1/32", "::1"), **record):
        port = free_port()
        record = {"kind": kind, "listen": f"localhost:{port}", "trusted": list(trusted), **record}
        if target is not None:
            record["remote"] = f"127.0.0.1:{target}"
        tunnel = self.tunnel("127.0.0.1:1", plain=True, allow=["*"], start=False, client={"forwards": [record]})
        tunnel.proxy = port
        start(tunnel)
        return tunnel

    def ask(self, port, host="127.0.0.1"):
        """A line there and back; our own address."""
        with connect(port, host) as peer:
            peer.sendall(b"hello\n")
            self.assertEqual(read_exactly(peer, 6), b"hello\n")
            return peer.getsockname()[:2]

    def expect_source(self, tunnel, address):
        host, port = address
        text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        tunnel.server.wait_log(rf"channel .*source={re.escape(text)} ")

    @needs("haproxy")
    def test_haproxy_says_who_connected(self):
        service = self.service(who)
        tunnel = self.start_tunnel(target=service.port)
        ports = {"send-proxy": free_port(), "send-proxy-v2": free_port(), "send-proxy-v2-ssl-cn": free_port()}
        sections = "".join(f"listen {how}\n  bind 127.0.0.1:{port}\n  bind [::1]:{port}\n"
                           f"  server tws 127.0.0.1:{tunnel.proxy} {how}\n" for how, port in ports.items())
        conf = self.write("haproxy.cfg", f"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n"
                                         f"  timeout server 20s\n{sections}")
        haproxy = self.start("haproxy", ["haproxy", "-db", "-f", conf])
        haproxy.expected = (0, 130, 143, -signal.SIGTERM)
        wait_until(lambda: all(is_listening(port) for port in ports.values()), "haproxy listens")
        for how, port in ports.items():
            for host in ("127.0.0.1", "::1"):
                with self.subTest(how=how, host=host):
                    self.expect_source(tunnel, self.ask(port, host))

    @needs("nginx")
    @unittest.skipUnless(os.path.exists(STREAM_MODULE), "nginx has no stream module (libnginx-mod-stream)")
    def test_nginx_says_who_connected(self):
        service = self.service(who)
        tunnel, port = self.start_tunnel(target=service.port), free_port()
        conf = self.write("nginx.conf", f"""
            load_module {STREAM_MODULE};
            {"user root;" if os.getuid() == 0 else ""}
            daemon off;
            pid {self.folder}/pid;
            events {{ }}
            stream {{ server {{ listen 127.0.0.1:{port}; listen [::1]:{port}; proxy_pass 127.0.0.1:{tunnel.proxy};
                                proxy_protocol on; }} }}""")
        self.start("nginx", ["nginx", "-e", "stderr", "-p", self.folder, "-c", conf])
        wait_until(lambda: is_listening(port), "nginx listens")
        for host in ("127.0.0.1", "::1"):
            with self.subTest(host=host):
                self.expect_source(tunnel, self.ask(port, host))

    @needs("curl")
    def test_a_header_comes_before_http_and_socks_too(self):
        web = self.service(serve_pages)
        tunnel = self.start_tunnel(kind="proxy")
        page = self.run_program("curl", "-sSf", "--noproxy", "", "--haproxy-protocol", "-x",
                                f"http://127.0.0.1:{tunnel.proxy}", f"http://127.0.0.1:{web.port}/")
        self.assertEqual(page.encode(), PAGE)
        with connect(tunnel.proxy) as peer:
            peer.sendall(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 1080\r\n\x05\x01\x00"
                         + socks5_request("127.0.0.1", web.port) + b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n")
            self.assertIn(b"GET /echo", read_all(peer))
        self.expect_source(tunnel, ("2001:db8::7", 4711))

    def test_a_trusted_proxy_must_send_a_header_and_nobody_else_may(self):
        heard = []

        def listen(peer):
            heard.append(read_all(peer))

        service = self.service(listen)
        listed = self.write("proxies", "# where our proxies are\n127.0.0.1/32 # this one\n\n192.0.2.0/24\r\n")
        tunnel = self.start_tunnel(target=service.port, trusted=["192.0.2.7"], trusted_file=listed)
        for wrong in (b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", b"PROXY TCP4 x y 1 2\r\n",
                      b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x04abcd", b"PROXY UNKNOWN " + b"x" * 100):
            with self.subTest(wrong=wrong), connect(tunnel.proxy) as peer:
                peer.sendall(wrong)
                self.assertEqual(read_all(peer), b"")
        self.assertEqual(tunnel.client.log.count("no PROXY protocol header"), 1)
        self.assertEqual(service.accepted, 0)
        for header, source in ((b"PROXY TCP4 198.51.100.7 10.0.0.1 4711 80\r\n", ("198.51.100.7", 4711)),
                               (b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", None)):
            del heard[:]
            with connect(tunnel.proxy) as peer:
                peer.sendall(header + b"stream")
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(wait_until(lambda: heard, "the target hears the end"), [b"stream"])
                self.expect_source(tunnel, source or peer.getsockname())
        # ::1 is no proxy: what it sends is the stream's, whatever it looks like
        del heard[:]
        with connect(tunnel.proxy, "::1") as peer:
            peer.sendall(b"PROXY TCP4 198.51.100.8 10.0.0.1 4712 80\r\n")
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(wait_until(lambda: heard, "the target hears the end"),
                             [b"PROXY TCP4 198.51.100.8 10.0.0.1 4712 80\r\n"])
            self.expect_source(tunnel, peer.getsockname()[:2])
