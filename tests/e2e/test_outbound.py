"""Ways to the server: proxies, pins, client certificates, headers, other names, given addresses; and a server
that ends TLS itself. With nginx, tinyproxy, microsocks, curl and openssl at the other end."""
import hashlib
import os
import re
import signal
import ssl
import subprocess
import threading

from tws_e2e import (MIB, Case, Service, ask, connect, echo, free_port, is_listening, make_certificate, needs, read_exactly,
                     wait_until)


def pin_of(certificate):
    """As curl's --pinnedpubkey has it."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, check=True,
                         capture_output=True)
    digest = subprocess.run(["openssl", "base64", "-A"], input=hashlib.sha256(der.stdout).digest(), check=True,
                            capture_output=True)
    return "sha256//" + digest.stdout.decode().strip()


class Outbound(Case):
    def edit_site(self, nginx, *changes):
        """Rewrites nginx's site and starts nginx anew: after a reload the old worker may still accept."""
        path = os.path.join(nginx.folder, "site.conf")
        with open(path, encoding="utf-8") as file:
            site = file.read()
        for old, new in changes:
            self.assertIn(old, site)
            site = site.replace(old, new, 1)
        self.write(os.path.relpath(path, self.folder), site)
        self.restart(nginx)

    def restart(self, nginx):
        nginx.process.stop()
        nginx.start()

    def behind_nginx(self, *changes, **client):
        """A tunnel whose client is not started yet."""
        tunnel = self.tunnel(self.service().port, start=False, links=1, client=client)
        tunnel.start_server()
        if changes:
            self.edit_site(tunnel.nginx, *changes)
        return tunnel

    def assert_works(self, tunnel):
        if tunnel.client is None:
            tunnel.start_client()
        tunnel.client.wait_status(r"1 of 1 links? up.*")
        self.assertTrue(ask(tunnel.port))

    def assert_says(self, tunnel, reason, then_stop=True):
        """A new client does not come to a link, for that reason; returns its log."""
        tunnel.start_client()
        tunnel.client.wait_log(r"cannot connect.*reason=\".*" + re.escape(reason))
        log = tunnel.client.log
        self.assertNotIn("link up", log)
        if then_stop:
            self.stop_client(tunnel)
        return log

    def stop_client(self, tunnel):
        tunnel.client.stop()
        tunnel.client = None


class Proxies(Outbound):
    def through(self, proxy, port):
        """A tunnel through the proxy, which must carry its link."""
        tunnel = self.behind_nginx(proxy=proxy)
        self.assert_works(tunnel)
        listed = self.run_program("ss", "-Htnp", "state", "established", f"dport = :{port}")
        self.assertIn('"tws"', listed)
        direct = self.run_program("ss", "-Htnp", "state", "established", f"dport = :{tunnel.nginx.port}")
        self.assertNotIn('"tws"', direct)

    def start_microsocks(self):
        port = free_port()
        process = self.start("microsocks", ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-u", "me", "-P", "p:w@d"])
        process.expected = (0, -signal.SIGTERM)
        wait_until(lambda: is_listening(port), "microsocks listens")
        return port

    def start_tinyproxy(self):
        port = free_port()
        config = self.write("tinyproxy.conf", f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth me secret\n"
                                              "User root\nGroup root\nMaxClients 20\n")
        self.start("tinyproxy", ["tinyproxy", "-d", "-c", config])
        wait_until(lambda: is_listening(port), "tinyproxy listens")
        return port

    @needs("microsocks")
    def test_socks5_with_a_login(self):
        port = self.start_microsocks()
        self.through(f"socks5h://me:p%3Aw%40d@127.0.0.1:{port}", port)
        self.through(f"socks5://me:p%3Aw%40d@127.0.0.1:{port}", port)
        self.assert_says(self.behind_nginx(proxy=f"socks5h://me:wrong@127.0.0.1:{port}"), "user or password refused")
        self.assert_says(self.behind_nginx(proxy=f"socks5h://127.0.0.1:{port}"), "the proxy wants a login")

    @needs("microsocks")
    def test_the_environment_names_a_socks_proxy(self):
        port = self.start_microsocks()
        tunnel = self.behind_nginx()
        env = dict(os.environ, ALL_PROXY=f"socks5h://me:p%3Aw%40d@127.0.0.1:{port}")
        tunnel.client = self.start_tws("client", "client", "--config", tunnel.write_client(), env=env).wait_ready()
        self.assert_works(tunnel)
        self.assertIn('"tws"', self.run_program("ss", "-Htnp", "state", "established", f"dport = :{port}"))

    @needs("tinyproxy")
    def test_http_connect_with_basic_authentication(self):
        port = self.start_tinyproxy()
        self.through(f"http://me:secret@127.0.0.1:{port}", port)
        self.assert_says(self.behind_nginx(proxy=f"http://me:wrong@127.0.0.1:{port}"), f"proxy: 127.0.0.1:{port}: HTTP 4")

    @needs("microsocks")
    def test_an_address_of_the_proxy_that_did_not_work_goes_behind_the_others(self):
        port = free_port()
        broken = Service(lambda peer: None, "127.0.0.41", port)
        self.addCleanup(broken.close)
        process = self.start("microsocks", ["microsocks", "-i", "127.0.0.42", "-p", str(port)])
        process.expected = (0, -signal.SIGTERM)
        wait_until(lambda: f"127.0.0.42:{port}" in self.run_program("ss", "-Hltn"), "microsocks listens")
        tunnel = self.behind_nginx(proxy=f"socks5h://proxy.test:{port}",
                                   resolve=[f"proxy.test:{port}:127.0.0.41,127.0.0.42"])
        self.assert_works(tunnel)
        tunnel.client.wait_log(rf"proxy address passed over.*proxy=proxy.test:{port} address=127.0.0.41:{port} "
                               rf"used=127.0.0.42:{port} reason=\"connection closed by the proxy\"")
        self.restart(tunnel.nginx)
        tunnel.client.wait_log(r"link up(?s:.*)link up")
        self.assertEqual(broken.accepted, 1)

    def test_a_proxy_that_is_not_there_is_named(self):
        port = free_port()
        self.assert_says(self.behind_nginx(proxy=f"socks5://127.0.0.1:{port}"),
                         f"connect to proxy: 127.0.0.1:{port}: Connection refused")


class Identities(Outbound):
    def test_a_pinned_key_alone_and_beside_the_certificate(self):
        tunnel = self.behind_nginx()
        pin = pin_of(tunnel.nginx.certificate)
        tunnel.client_settings["pin"] = ["sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
        self.assert_says(tunnel, f"the server's key is {pin}, which is not pinned", then_stop=False)
        # A reload with the right one is a new route: it is dialled at once.
        tunnel.client_settings["pin"] += [pin]
        tunnel.write_client()
        tunnel.client.signal(signal.SIGHUP)
        self.assert_works(tunnel)
        self.stop_client(tunnel)
        del tunnel.client_settings["ca_file"]
        tunnel.client_settings.update(insecure=True, pin=[pin])
        self.assert_works(tunnel)
        self.assertNotIn("insecure", tunnel.client.log)

    def test_nginx_wants_a_client_certificate(self):
        mine, my_key = make_certificate(self.folder, "mine", "DNS:me")
        other, other_key = make_certificate(self.folder, "other", "DNS:me")
        tunnel = self.behind_nginx(("    ssl_protocols", f"ssl_client_certificate {mine};\nssl_verify_client on;\n"
                                                         "    ssl_protocols"))
        self.assertIn("client certificate (cert_file)", self.assert_says(tunnel, "HTTP 400 from the server"))
        tunnel.client_settings.update(cert_file=other, cert_key_file=other_key)
        self.assert_says(tunnel, "HTTP 400 from the server")
        tunnel.client_settings.update(cert_file=mine, cert_key_file=my_key)
        self.assert_works(tunnel)
        tunnel.client_settings.update(cert_key_file=other_key)
        code, _, errors = self.run_tws("check", "--client", tunnel.write_client())
        self.assertNotEqual(code, 0)
        self.assertIn("is not that of the certificate in", errors)

    def test_headers_and_host_reach_nginx(self):
        seen = os.path.join(self.folder, "seen.log")
        tunnel = self.behind_nginx(
            ("server {", "log_format seen '$http_x_team|$http_authorization|$http_host|$ssl_server_name|$status';\n"
                         "server {"),
            ("server_name example.com;", f"server_name example.com; access_log {seen} seen;"),
            headers=["X-Team: a b", "Authorization: Basic bWU6cHc="], host="hidden.example")
        # Only hidden.example has the tunnel at this path.
        site = os.path.join(tunnel.nginx.folder, "site.conf")
        with open(site, encoding="utf-8") as file:
            block = file.read().partition("server {\n")[2]
        hidden = ("server {\n" + block).replace("server_name example.com;", "server_name hidden.example;") \
            .replace("location = /tws", "location = /hidden").replace(" backlog=4096", "")
        with open(site, "a", encoding="utf-8") as file:
            file.write(hidden)
        self.restart(tunnel.nginx)
        tunnel.client_settings["server"] = f"wss://localhost:{tunnel.nginx.port}/hidden"
        self.assert_works(tunnel)
        self.stop_client(tunnel)
        with open(seen, encoding="utf-8") as log:
            line = wait_until(lambda: log.read() or None, "nginx writes its log")
        self.assertEqual(line.splitlines()[-1], "a b|Basic bWU6cHc=|hidden.example|localhost|101")
        del tunnel.client_settings["host"]
        self.assert_says(tunnel, "HTTP 404 from the server")

    def test_another_name_in_the_tls_handshake(self):
        front, front_key = make_certificate(self.folder, "front", "DNS:front.example")
        tunnel = self.behind_nginx(sni="front.example")
        site = os.path.join(tunnel.nginx.folder, "site.conf")
        with open(site, encoding="utf-8") as file:
            block = file.read().partition("server {\n")[2]
        own_key = tunnel.nginx.certificate.replace(".pem", ".key")
        with open(site, "a", encoding="utf-8") as file:
            file.write(("server {\n" + block).replace("server_name example.com;", "server_name front.example;")
                       .replace(tunnel.nginx.certificate, front).replace(own_key, front_key)
                       .replace(" backlog=4096", ""))
        self.restart(tunnel.nginx)
        # Certificate and trust are the other site's, which nginx only shows for that name.
        tunnel.client_settings["ca_file"] = front
        self.assert_works(tunnel)
        self.stop_client(tunnel)
        tunnel.client_settings["sni"] = "none"
        self.assert_says(tunnel, "certificate: self-signed certificate")

    def test_addresses_are_given_and_not_looked_up(self):
        tunnel = self.behind_nginx()
        certificate, key = make_certificate(self.folder, "named", "DNS:tunnel.invalid")
        self.edit_site(tunnel.nginx, (tunnel.nginx.certificate, certificate),
                       (tunnel.nginx.certificate.replace(".pem", ".key"), key))
        port = tunnel.nginx.port
        tunnel.client_settings.update(server=f"wss://tunnel.invalid:{port}/tws", ca_file=certificate,
                                      resolve=[f"tunnel.invalid:{port}:192.0.2.1,127.0.0.1"], proxy="none")
        tunnel.client_settings["resolve"] = [f"tunnel.invalid:{port}:127.0.0.1"]
        self.assert_works(tunnel)


class TlsServer(Outbound):
    def set_up(self, **server):
        """A client and a server with TLS of its own, nothing in between."""
        self.certificate, self.key = make_certificate(self.folder, "own")
        self.site = os.path.join(self.folder, "site")
        os.mkdir(self.site)
        with open(os.path.join(self.site, "index.html"), "w", encoding="utf-8") as file:
            file.write("an ordinary page")
        tunnel = self.tunnel(self.service(echo).port, plain=True, start=False, links=1)
        tunnel.server_settings.update(cert_file=self.certificate, cert_key_file=self.key, decoy=self.site, path="/tws",
                                      **server)
        tunnel.client_settings.update(server=f"wss://localhost:{tunnel.server_port}/tws", ca_file=self.certificate,
                                      proxy="none")
        tunnel.start_server()
        return tunnel

    def serial(self, port):
        """Of the certificate that is shown."""
        shown = ssl.get_server_certificate(("127.0.0.1", port))
        return hashlib.sha256(shown.encode()).hexdigest()

    def s_client(self, port, *options):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr

    def test_curl_and_openssl_meet_an_ordinary_site(self):
        tunnel = self.set_up()
        port = tunnel.server_port
        url = f"https://localhost:{port}"
        curl = ("curl", "-sS", "--cacert", self.certificate, "--noproxy", "*")
        self.assertEqual(self.run_program(*curl, f"{url}/"), "an ordinary page")
        self.assertEqual(self.run_program(*curl, "--http2", "-w", " %{http_code} %{http_version}", f"{url}/"),
                         "an ordinary page 200 1.1")
        self.assertEqual(self.run_program(*curl, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/tws"), "404")
        self.assertIn("ALPN protocol: http/1.1", self.s_client(port, "-alpn", "h2,http/1.1"))
        self.assertIn("no application protocol", self.s_client(port, "-alpn", "h2"))
        self.assertIn("TLSv1.3", self.s_client(port))
        self.assertIn("TLSv1.2", self.s_client(port, "-tls1_2"))
        self.assertIn("alert protocol version", self.s_client(port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"))
        self.assert_works(tunnel)

    def test_a_decoy_behind_another_server_answers_over_https(self):
        inner = self.service(lambda peer: (peer.recv(4096), peer.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ninner")))
        tunnel = self.set_up()
        tunnel.server.stop()
        tunnel.server_settings["decoy"] = f"http://127.0.0.1:{inner.port}"
        tunnel.start_server()
        self.assertEqual(self.run_program("curl", "-sS", "--cacert", self.certificate, "--noproxy", "*",
                                          f"https://localhost:{tunnel.server_port}/x"), "inner")

    def test_sighup_takes_a_new_certificate_and_no_transfer_notices(self):
        tunnel = self.set_up()
        self.assert_works(tunnel)
        before = self.serial(tunnel.server_port)
        size, got = 48 * MIB, []
        peer = connect(tunnel.port)
        self.addCleanup(peer.close)
        piece = os.urandom(MIB)

        def send():
            for _ in range(size // MIB):
                peer.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        for number in range(size // MIB):
            got.append(read_exactly(peer, MIB) == piece)
            if number == 4:
                make_certificate(self.folder, "own")
                tunnel.server.signal(signal.SIGHUP)
            if number == 8:
                # Two files that do not belong together: nothing changes.
                tunnel.server.wait_log("reloaded")
                renewed = self.serial(tunnel.server_port)
                self.assertNotEqual(renewed, before)
                other = make_certificate(self.folder, "other")
                os.replace(other[1], self.key)
                tunnel.server.signal(signal.SIGHUP)
                tunnel.server.wait_log("reload failed, nothing changed")
                self.assertEqual(self.serial(tunnel.server_port), renewed)
        sender.join()
        self.assertTrue(all(got))
        self.assertIn("is not that of the certificate in", tunnel.server.log)
        self.assertNotIn("link lost", tunnel.client.log)

    def test_a_client_needs_a_certificate(self):
        mine, my_key = make_certificate(self.folder, "mine", "DNS:me")
        tunnel = self.set_up(client_ca_file=mine)
        self.assert_says(tunnel, "certificate required")
        tunnel.client_settings.update(cert_file=mine, cert_key_file=my_key)
        self.assert_works(tunnel)
        self.assertIn("certificate required", self.s_client(tunnel.server_port, "-ign_eof"))

    def test_a_certificate_that_is_of_no_use_is_said_at_the_start(self):
        tunnel = self.set_up()
        for change, reason in (({"cert_file": "/nowhere"}, "/nowhere: No such file or directory"),
                               ({"cert_key_file": "/dev/null"}, "/dev/null: no private key in PEM form"),
                               ({"client_ca_file": "/dev/null"}, "client_ca_file /dev/null: no certificates")):
            settings = dict(tunnel.server_settings)
            tunnel.server_settings.update(change)
            code, _, errors = self.run_tws("server", "--config", tunnel.write_server())
            self.assertNotEqual(code, 0)
            self.assertIn(reason, errors)
            tunnel.server_settings = settings


class Padding(Outbound):
    def received(self, tunnel):
        """Bytes that came over the client's link."""
        listed = self.run_program("ss", "-Htni", "state", "established", f"dport = :{tunnel.link_port}")
        return int(re.search(r"bytes_received:(\d+)", listed).group(1))

    def test_the_clients_wish_counts_in_both_directions(self):
        cost = {}
        for padding in (0, 2000):
            tunnel = self.tunnel(self.service().port, plain=True, links=1, client={"padding": padding})
            with connect(tunnel.port) as peer:
                before = self.received(tunnel)
                for _ in range(100):
                    peer.sendall(b"x")
                    read_exactly(peer, 1)
                cost[padding] = self.received(tunnel) - before
            self.assertTrue(ask(tunnel.port, os.urandom(MIB)))
        # A hundred answers and more, each with 1000 bytes on average.
        self.assertGreater(cost[2000], cost[0] + 60 * 1000)
