"""How the server goes out: the PROXY protocol to nginx and haproxy, unix sockets, a source address, upstream
proxies, and other targets for clients of either family. Spoofing has its own file."""
import os
import re
import socket
import threading

from tws_e2e import Case, Service, connect, free_port, is_listening, needs, read_all, read_exactly, wait_until


def tell_peer(peer):
    """Says who connected, then ends."""
    host, port = peer.getpeername()[:2]
    peer.sendall(f"{host} {port}".encode())


def get(port, host="127.0.0.1"):
    """(the answer to one request, our own address and port)."""
    with connect(port, host) as peer:
        own = peer.getsockname()[:2]
        peer.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        return read_all(peer), own


def at(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class UnixService:
    """An echo on a unix socket."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(4096):
                    peer.sendall(data)

    def close(self):
        self.listener.close()


class Egress(Case):
    def out(self, egress, allow, *forwards, start=True, **more):
        """A tunnel whose server goes out as the records say. A forward is a target, or (target, where to
        listen)."""
        forwards = [(forward, "127.0.0.1") if isinstance(forward, str) else forward for forward in forwards]
        ports = [free_port() for _ in forwards]
        tunnel = self.tunnel("127.0.0.1:1", plain=True, start=start, allow=allow, server={"egress": egress, **more},
                             client={"forwards": [{"listen": at(listen, port), "remote": target}
                                                  for (target, listen), port in zip(forwards, ports)]})
        tunnel.ports = ports
        return tunnel

    def answer(self, port, host="127.0.0.1"):
        """What a target says by itself; b"" if there is none."""
        try:
            with connect(port, host) as peer:
                return read_all(peer)
        except ConnectionResetError:
            return b""

    def refused(self, tunnel, reason):
        """The connection ends without a byte, and the client's log has the reason."""
        self.assertEqual(self.answer(tunnel.port), b"")
        tunnel.client.wait_log(reason)

    # ---- PROXY protocol ----

    def start_nginx_receiver(self, listen):
        folder = os.path.join(self.folder, f"receiver-{free_port()}")
        os.mkdir(folder)
        temp = "\n".join(f"{kind}_temp_path {folder}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path = self.write(f"{os.path.basename(folder)}/nginx.conf", f"""
            {"user root;" if os.getuid() == 0 else ""}
            daemon off; pid {folder}/pid; worker_processes 1;
            events {{ worker_connections 100; }}
            http {{ access_log off; {temp}
              server {{ {' '.join(f'listen {where} proxy_protocol;' for where in listen)}
                location / {{ return 200 "client=$proxy_protocol_addr,$proxy_protocol_port"; }} }} }}""")
        nginx = self.start("nginx", ["nginx", "-e", "stderr", "-p", folder, "-c", path])
        wait_until(lambda: os.path.exists(f"{folder}/pid"), "nginx runs")
        return nginx

    def check_headers(self, v1, v2, *more):
        """Both families of clients to both families of targets, in both versions; a port is the target's."""
        cases = [(at(target, port), listen) for port in (v1, v2) for target in ("127.0.0.1", "::1")
                 for listen in ("127.0.0.1", "::1")] + [(target, "127.0.0.1") for target in more]
        tunnel = self.out([{"to": [f"127.0.0.1:{v1}", f"[::1]:{v1}"], "send_proxy": "v1"}, {"send_proxy": "v2"}],
                          [target for target, _ in cases], *cases)
        for (target, listen), port in zip(cases, tunnel.ports):
            with self.subTest(target=target, listen=listen):
                body, (host, own) = get(port, listen)
                self.assertIn(f"client={host},{own}".encode(), body)

    @needs("nginx")
    def test_nginx_learns_the_clients_address_by_the_proxy_protocol(self):
        v1, v2, path = free_port(), free_port(), os.path.join(self.folder, "web.sock")
        self.start_nginx_receiver([at(host, port) for port in (v1, v2) for host in ("127.0.0.1", "::1")] + [f"unix:{path}"])
        self.check_headers(v1, v2, f"unix:{path}")

    @needs("haproxy")
    def test_haproxy_learns_the_clients_address_by_the_proxy_protocol(self):
        v1, v2 = free_port(), free_port()
        binds = "\n".join(f"  bind {at(host, port)} accept-proxy" for port in (v1, v2) for host in ("127.0.0.1", "::1"))
        path = self.write("haproxy.cfg", f"""defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
{binds}
  http-request return status 200 content-type text/plain lf-string "client=%[src],%[src_port]"
""")
        haproxy = self.start("haproxy", ["haproxy", "-db", "-f", path])
        haproxy.expected = (0, 143, -15)
        wait_until(lambda: is_listening(v2), "haproxy listens")
        self.check_headers(v1, v2)

    # ---- unix sockets ----

    def test_a_unix_socket_is_a_target_if_a_rule_names_it(self):
        inside, outside = (os.path.join(self.folder, name) for name in ("in.sock", "out.sock"))
        for path in (inside, outside):
            self.addCleanup(UnixService(path).close)
        none = os.path.join(self.folder, "app-1")
        tunnel = self.out([], [f"unix:{inside}", "*", f"unix:{self.folder}/app-*"],
                          *(f"unix:{path}" for path in (inside, outside, none)))
        with connect(tunnel.port) as peer:
            peer.sendall(b"hello")
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(peer), b"hello")
        tunnel.server.wait_log(rf"target=unix:{re.escape(inside)} .*reason=\"closed\"")
        for port, reason in zip(tunnel.ports[1:], (r"out.sock .*no rule of the user allows", "app-1 .*No such file")):
            self.assertEqual(self.answer(port), b"")
            tunnel.client.wait_log(rf"target=unix:\S+{reason}")

    # ---- where from ----

    def test_an_outlet_is_chosen_by_the_target_and_by_what_its_name_resolves_to(self):
        targets = [self.service(tell_peer).port for _ in range(3)]
        records = [{"to": ["10.0.0.0/8"], "bind": "127.0.0.70"}, {"to": [f"127.0.0.0/8:{targets[0]}"], "bind": "127.0.0.71"},
                   {"to": ["localhost"], "bind": "127.0.0.72"}, {"from": ["10.0.0.0/8"], "bind": "127.0.0.73"},
                   {"from": ["127.0.0.0/8"], "bind": "127.0.0.74"}]
        tunnel = self.out(records, ["127.0.0.1"], f"localhost:{targets[0]}", f"localhost:{targets[1]}",
                          f"127.0.0.1:{targets[2]}")
        for port, source in zip(tunnel.ports, (71, 72, 74)):
            self.assertEqual(self.answer(port).split()[0], f"127.0.0.{source}".encode())

    def test_clients_of_each_family_have_their_own_target_which_has_to_be_allowed_too(self):
        four, six = self.service(lambda peer: peer.sendall(b"four")), self.service(lambda peer: peer.sendall(b"six"), "::1")
        records = [{"ipv4": f"127.0.0.1:{four.port}", "ipv6": f"[::1]:{six.port}"}]
        tunnel = self.out(records, ["app.example:443", "10.0.0.0/8"], "app.example:443", ("app.example:443", "::1"),
                          "10.0.0.1:443")
        self.assertEqual(self.answer(tunnel.ports[0]), b"four")
        self.assertEqual(self.answer(tunnel.ports[1], "::1"), b"six")
        self.assertEqual(self.answer(tunnel.ports[2]), b"")
        tunnel.client.wait_log("target=10.0.0.1:443 .*forbidden")

    # ---- through a proxy ----

    def socks(self, *options):
        port = free_port()
        process = self.start("microsocks", ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-b", "127.0.0.66", *options])
        process.expected = (0, -15)
        wait_until(lambda: is_listening(port), "microsocks listens")
        return port

    @needs("microsocks")
    def test_a_socks_proxy_is_gone_through_with_a_login(self):
        named, listed = [self.service(tell_peer).port for _ in "ab"], [self.service(tell_peer).port for _ in "ab"]
        proxy = self.socks("-u", "us", "-P", "p@ss:")
        records = [{"to": [f"*:{named[i]}", f"*:{listed[i]}"], "via": f"{scheme}://us:p%40ss:@127.0.0.1:{proxy}"}
                   for i, scheme in enumerate(("socks5", "socks5h"))]
        targets = [f"localhost:{port}" for port in named + listed] + [f"127.0.0.1:{port}" for port in listed]
        tunnel = self.out(records, [f"localhost:{port}" for port in named] + [f"127.0.0.0/8:{port}" for port in listed],
                          *targets)
        for target, port in zip(targets, tunnel.ports):
            with self.subTest(target=target):
                self.assertTrue(self.answer(port).startswith(b"127.0.0.66 "))

    @needs("microsocks")
    def test_a_login_that_a_proxy_refuses_is_told_the_server_and_not_the_client(self):
        proxy = self.socks("-u", "us", "-P", "secret")
        tunnel = self.out([{"via": f"socks5://us:wrong@127.0.0.1:{proxy}"}], ["127.0.0.1"], "127.0.0.1:9")
        self.refused(tunnel, r"text=\"the upstream proxy failed\"")
        tunnel.server.wait_log(r"upstream proxy failed.*via=127.0.0.1:\d+ .*refused")
        self.assertNotIn("wrong", tunnel.server.log)

    @needs("microsocks")
    def test_a_proxy_is_not_asked_for_a_name_that_no_rule_names(self):
        target = self.service(tell_peer)
        proxy = self.socks()
        record = {"via": f"socks5h://127.0.0.1:{proxy}"}
        tunnel = self.out([record], ["10.0.0.0/8"], f"localhost:{target.port}")
        self.refused(tunnel, r"target=localhost:\d+ .*forbidden")
        self.assertEqual(target.accepted, 0)

    @needs("tinyproxy")
    def test_an_http_proxy_is_gone_through_with_a_login(self):
        target = self.service(tell_peer)
        port = free_port()
        path = self.write("tinyproxy.conf", f"""Port {port}
Listen 127.0.0.1
Bind 127.0.0.65
MaxClients 20
BasicAuth us secret
LogLevel Info
""")
        process = self.start("tinyproxy", ["tinyproxy", "-d", "-c", path])
        process.expected = (0, -15)
        wait_until(lambda: is_listening(port), "tinyproxy listens")
        tunnel = self.out([{"via": f"http://us:secret@127.0.0.1:{port}"}], ["localhost", "127.0.0.1"],
                          f"localhost:{target.port}", f"127.0.0.1:{target.port}")
        for port in tunnel.ports:
            self.assertTrue(self.answer(port).startswith(b"127.0.0.65 "))

    def with_names(self, names, *arguments, **more):
        """out(), with a server that has a hosts file of its own."""
        if os.getuid() != 0:
            self.skipTest("only root can give the server a hosts file")
        path = self.write("hosts", "".join(f"{ip} {name}\n" for name, ips in names.items() for ip in ips))
        tunnel = self.out(*arguments, start=False, **more)
        under = ("unshare", "-m", "sh", "-c", f"mount --bind {path} /etc/hosts && exec \"$@\"", "sh")
        tunnel.server = self.start_tws("server", "server", "--config", tunnel.write_server(), under=under).wait_ready()
        tunnel.start_client()
        tunnel.wait_links()
        return tunnel

    def socks_by_hand(self, *answers):
        """A proxy that gives one connection after another these answers, and the addresses it was asked for. To
        grant is to talk."""
        asked = []

        def serve(peer):
            read_exactly(peer, 3)
            peer.sendall(b"\5\0")
            asked.append(socket.inet_ntoa(read_exactly(peer, 10)[4:8]))
            answer = answers[len(asked) - 1]
            peer.sendall(bytes([5, answer, 0, 1]) + bytes(6) + (b"" if answer else b"through"))

        return serve, asked

    def test_the_next_address_is_asked_for_when_the_proxy_cannot_reach_the_first(self):
        serve, asked = self.socks_by_hand(4, 0, 5, 4)
        proxy = self.service(serve).port
        tunnel = self.with_names({"many.test": ["192.0.2.1", "198.51.100.1", "198.51.100.2"]},
                                 [{"via": f"socks5h://127.0.0.1:{proxy}"}], ["192.0.2.1:9", "198.51.100.0/24"],
                                 "many.test:9", "many.test:10")
        self.assertEqual(self.answer(tunnel.ports[0]), b"through")
        self.assertEqual(len(set(asked)), 2)
        self.assertEqual(self.answer(tunnel.ports[1]), b"")
        self.assertEqual(set(asked[2:]), {"198.51.100.1", "198.51.100.2"}, "the third is not allowed")
        tunnel.client.wait_log(r"code=10 .*text=\"the upstream proxy could not reach it\"")
        tunnel.server.wait_log(rf"upstream proxy reached no target.*via=127.0.0.1:{proxy} .*target=many.test:10 .*refused")

    def test_the_proxys_next_address_takes_the_place_of_a_silent_one(self):
        port = free_port()
        serve, _ = self.socks_by_hand(0, 0)
        met = []

        def at(host):
            def serve_here(peer):
                met.append(host)
                if host == met[0]:
                    read_all(peer)
                else:
                    serve(peer)
            return serve_here

        for host in ("127.0.0.41", "127.0.0.42"):
            self.addCleanup(Service(at(host), host, port).close)
        tunnel = self.with_names({"proxy.test": ["127.0.0.41", "127.0.0.42"]}, [{"via": f"socks5://proxy.test:{port}"}],
                                 ["127.0.0.1"], "127.0.0.1:9", connect_timeout="3s")
        self.assertEqual(self.answer(tunnel.port), b"through")
        tunnel.server.wait_log(rf"upstream proxy address passed over.*via=proxy.test:{port} address={met[0]}:{port} "
                               rf"used={met[1]}:{port} .*gave no answer")
        self.assertEqual(self.answer(tunnel.port), b"through")
        self.assertEqual(met, [met[0], met[1], met[1]], "the silent one goes last from now on")

    def test_a_proxy_that_is_not_there_is_named_to_the_server_only(self):
        gone = free_port()
        tunnel = self.out([{"to": ["*:9"], "via": f"http://127.0.0.1:{gone}"}, {"via": "http://proxy.invalid:3128"}],
                          ["127.0.0.1"], "127.0.0.1:9", "127.0.0.1:10")
        for port in tunnel.ports:
            self.assertEqual(self.answer(port), b"")
            tunnel.client.wait_log(r"code=11 .*text=\"the upstream proxy failed\"")
        tunnel.server.wait_log(rf"via=127.0.0.1:{gone} .*reason=\"cannot connect to it: Connection refused\"")
        self.assertNotIn("proxy.invalid", tunnel.client.log)

    def test_a_proxy_that_says_nothing_is_given_up_in_time(self):
        silent = self.service(lambda peer: peer.recv(1) and peer.recv(65536) and peer.recv(1))
        tunnel = self.out([{"via": f"socks5://127.0.0.1:{silent.port}"}], ["127.0.0.1"], "127.0.0.1:9",
                          connect_timeout="300ms")
        self.refused(tunnel, r"text=\"the upstream proxy failed\"")
        tunnel.server.wait_log("upstream proxy failed.*gave no answer")

    def test_a_reload_changes_how_the_next_connection_goes_out(self):
        target = self.service(tell_peer)
        tunnel = self.out([{"bind": "127.0.0.70"}], ["127.0.0.1"], f"127.0.0.1:{target.port}")
        self.assertTrue(self.answer(tunnel.port).startswith(b"127.0.0.70 "))
        tunnel.server_settings["egress"] = [{"bind": "127.0.0.71"}]
        tunnel.write_server()
        before = len(tunnel.server.told)
        tunnel.server.signal(1)
        wait_until(lambda: "READY=1" in tunnel.server.told[before:], "the server reloads")
        self.assertTrue(self.answer(tunnel.port).startswith(b"127.0.0.71 "))
