"""SOCKS and HTTP proxy ingress with real clients."""
import base64
import getpass
import os
import shutil
import signal
import socket
import struct
import subprocess
import unittest

from tws_e2e import MIB, Case, connect, free_port, is_listening, needs, read_all, read_exactly, wait_until

PAGE = b"a page that came through\n"
NOBODY = "192.0.2.1"  # TEST-NET-1: there is no way there


def serve_pages(peer):
    """HTTP/1.1: says what it was asked, one request after another, and closes when it is told to."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            piece = peer.recv(65536)
            if not piece:
                return
            data += piece
        head, _, data = data.partition(b"\r\n\r\n")
        fields = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:]}
        length = int(fields.get(b"content-length", 0))
        while len(data) < length:
            data += peer.recv(65536)
        text = head + b"\n\n" + data[:length] if b"/echo" in head else PAGE
        data = data[length:]
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        if fields.get(b"connection", b"").lower() == b"close":
            return


class Proxies(Case):
    def proxy(self, kind, *, allow=None, **record):
        """A tunnel whose only way in is a proxy of that kind; its port."""
        port = free_port()
        tunnel = self.tunnel("127.0.0.1:1", plain=True, allow=allow or ["*"],
                             client={"forwards": [{"kind": kind, "listen": f"127.0.0.1:{port}", **record}]})
        tunnel.proxy_port = port
        return tunnel

    def curl(self, *options, fails=None):
        done = subprocess.run(["curl", "-sS", "--max-time", "20", *options], capture_output=True, check=False)
        if fails is None:
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(fails, done.stderr.decode() + done.stdout.decode())
        return done.stdout

    @needs("curl")
    def test_curl_speaks_every_kind_of_socks(self):
        web = self.service(serve_pages)
        web6 = self.service(serve_pages, host="::1")
        tunnel = self.proxy("socks")
        for scheme in ("socks4", "socks4a", "socks5", "socks5h"):
            with self.subTest(scheme=scheme):
                via = f"{scheme}://127.0.0.1:{tunnel.proxy_port}"
                self.assertEqual(self.curl("-x", via, f"http://127.0.0.1:{web.port}/"), PAGE)
                if scheme in ("socks4a", "socks5h"):
                    self.assertEqual(self.curl("-x", via, f"http://localhost:{web.port}/"), PAGE)
                if scheme.startswith("socks5"):
                    self.assertEqual(self.curl("-x", via, f"http://[::1]:{web6.port}/"), PAGE)
