"""A browser behind the proxy: pages over http and https, by name, with everything on them."""
import os
import re
import shutil
import ssl
import threading
import unittest

import tws_e2e
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tws_e2e import Case, free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PAGE = b"""<!DOCTYPE html><title>tunnel</title><p id=said>nothing</p>
<script>Promise.all(Array.from({length: 20}, (_, i) => fetch("/part/" + i).then(r => r.text())))
.then(parts => { document.getElementById("said").textContent = "all " + parts.length + " parts: " + parts.join(""); });
</script>"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = re.fullmatch(r"/part/(\d+)", self.path)
        body = found.group(1).encode() if found else PAGE
        self.server.asked.append((self.headers["Host"], self.path))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain" if found else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass


@unittest.skipIf(CHROMIUM is None, "not installed: chromium")
class Browser(Case):
    def site(self, certificate=None):
        port = free_port()
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.asked = []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    @tws_e2e.not_sanitized
    def test_chromium_loads_pages_through_socks_and_http(self):
        plain, secure = self.site(), self.site(tws_e2e.make_certificate(self.folder))
        port = free_port()
        tunnel = self.tunnel("127.0.0.1:1", plain=True, allow=["localhost", "127.0.0.0/8"], client={
            "forwards": [{"kind": "proxy", "listen": f"127.0.0.1:{port}"}]})
        # "<-loopback>" takes loopback out of what is never proxied; no name is looked up here (socks5: resolves there)
        for scheme, site, url in (("socks5", secure, "https"), ("http", plain, "http")):
            with self.subTest(proxy=scheme, site=url):
                page = self.run_program(
                    CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    "--no-first-run", "--disable-background-networking", "--disable-sync",
                    f"--user-data-dir={self.folder}/{scheme}", "--ignore-certificate-errors",
                    f"--proxy-server={scheme}://127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>",
                    "--virtual-time-budget=10000", "--dump-dom", f"{url}://localhost:{site.server_port}/",
                    env=dict(os.environ, HOME=self.folder))
                self.assertIn("all 20 parts: " + "".join(map(str, range(20))), page)
                self.assertGreaterEqual(len(site.asked), 21)
        self.assertNotIn("warn", tunnel.client.log)
