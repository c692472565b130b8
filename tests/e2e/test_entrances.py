"""Where forwards and the server listen beside addresses: unix sockets with their files, and sockets that the
service manager opened."""
import os
import signal
import socket
import stat
import subprocess
import threading

import tws_e2e
from tws_e2e import WAIT, Case, ask, free_port, needs, read_all, read_exactly, wait_until, yaml

PAGE = b"unix is a page"


def serve_page(peer):
    while b"\r\n\r\n" not in peer.recv(65536):
        pass
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(PAGE) + PAGE)


def ask_unix(path, message=b"are you there?"):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(WAIT)
        peer.connect(path)
        peer.sendall(message)
        return read_exactly(peer, len(message)) == message


class UnixSockets(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "in.sock")

    def start_with(self, target, start=True, **record):
        tunnel = self.tunnel(target.port, plain=True, start=False)
        forward = {"listen": f"unix:{self.path}", "remote": f"127.0.0.1:{target.port}", **record}
        tunnel.client_settings["forwards"] = [forward]
        tunnel.start_server()
        if start:
            tunnel.start_client()
            tunnel.wait_links()
        return tunnel

    @needs("curl")
    def test_curl_goes_in_by_a_unix_socket(self):
        self.start_with(self.service(serve_page))
        out = self.run_program("curl", "-sSf", "--unix-socket", self.path, "http://any/")
        self.assertEqual(out.encode(), PAGE)

    @needs("nc")
    def test_nc_goes_in_by_a_unix_socket_and_half_closes(self):
        self.start_with(self.service(lambda peer: peer.sendall(b"%d" % len(read_all(peer)))))
        done = subprocess.run(["nc", "-N", "-U", self.path], input=b"x" * 100000, capture_output=True, timeout=WAIT,
                              check=True)
        self.assertEqual(done.stdout, b"100000")

    def test_no_byte_stays_behind_where_descriptors_or_urgent_data_were_passed(self):
        """All is there before any is read: a read stops at each of them, and no event tells of the rest."""
        path, words, there = os.path.join(self.folder, "out.sock"), (b"onetwothree", b"onetwo!three"), []

        def say(peer, word, reader):
            reader.signal(signal.SIGSTOP)
            for part in (word[:3], word[3:6]):
                socket.send_fds(peer, [part], [0])
            if b"!" in word:
                peer.send(b"!", socket.MSG_OOB)
            peer.sendall(b"three")
            reader.signal(signal.SIGCONT)

        def serve():
            with listener.accept()[0] as peer:
                for word in words:
                    there.append(read_exactly(peer, len(word)))
                    say(peer, word, tunnel.server)
                peer.recv(1)  # ends when the other end has all

        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as peer:
            listener.bind(path)
            listener.listen()
            tunnel = self.tunnel(f"unix:{path}", plain=True, start=False)
            tunnel.client_settings["forwards"] = [{"listen": f"unix:{self.path}", "remote": f"unix:{path}"}]
            tunnel.start_server()
            tunnel.start_client()
            tunnel.wait_links()
            server = threading.Thread(target=serve)
            server.start()
            peer.settimeout(WAIT)
            peer.connect(self.path)
            for word in words:
                say(peer, word, tunnel.client)
                self.assertEqual(read_exactly(peer, len(word)), word)
            peer.shutdown(socket.SHUT_WR)
            server.join()
        self.assertEqual(there, list(words))

    def test_the_file_has_its_mode_and_goes_with_the_process(self):
        for mode, wanted in ((None, 0o600), ("0666", 0o666)):
            with self.subTest(mode=mode):
                tunnel = self.start_with(self.service(), **({"listen_mode": mode} if mode else {}))
                self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), wanted)
                self.assertTrue(ask_unix(self.path))
                tunnel.client.stop()
                self.assertFalse(os.path.lexists(self.path))

    def test_a_stale_file_is_replaced_and_a_live_one_is_not(self):
        tunnel = self.start_with(self.service())
        first = tunnel.client
        second = self.start_tws("second", "client", "--config", tunnel.write_client())
        second.expected = (1,)
        self.assertEqual(second.wait_exit(), 1)
        self.assertRegex(second.log, r"cannot listen listen=unix:\S+ .*another program listens there \(ss -lxp")
        self.assertTrue(ask_unix(self.path))
        first.expected = (-signal.SIGKILL,)
        first.signal(signal.SIGKILL)
        first.wait_exit()
        self.assertTrue(os.path.lexists(self.path))
        tunnel.start_client()
        tunnel.wait_links()
        self.assertTrue(ask_unix(self.path))

    def test_what_is_not_ours_is_neither_replaced_nor_removed(self):
        self.write("in.sock", "a letter")
        tunnel = self.start_with(self.service(), start=False)
        code, _, errors = self.run_tws("client", "--config", tunnel.write_client())
        self.assertEqual(code, 1)
        self.assertRegex(errors, "what is there is no socket: remove it yourself")
        with open(self.path, encoding="ascii") as file:
            self.assertEqual(file.read(), "a letter")
        os.unlink(self.path)
        client = tunnel.start_client()
        os.unlink(self.path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.path)
            client.stop()
            self.assertTrue(os.path.lexists(self.path))

    def test_a_reload_keeps_opens_and_removes_sockets(self):
        target = self.service()
        tunnel = self.start_with(target)
        with socket.socket(socket.AF_UNIX) as held:
            held.connect(self.path)
            held.sendall(b"a")
            self.assertEqual(held.recv(1), b"a")
            forwards = tunnel.client_settings["forwards"]
            forwards[0]["listen_mode"] = "0640"
            forwards.append({"listen": f"unix:{self.path}2", "remote": f"127.0.0.1:{target.port}"})
            tunnel.write_client()
            tunnel.client.signal(signal.SIGHUP)
            tunnel.client.wait_log("info reloaded")
            self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o640)
            self.assertTrue(ask_unix(self.path) and ask_unix(self.path + "2"))
            del forwards[0]
            tunnel.write_client()
            tunnel.client.signal(signal.SIGHUP)
            wait_until(lambda: tunnel.client.log.count("info reloaded") == 2, "the client reloads")
            self.assertFalse(os.path.lexists(self.path))
            self.assertTrue(ask_unix(self.path + "2"))
            held.sendall(b"b")
            self.assertEqual(held.recv(1), b"b")

    def test_links_come_in_by_a_unix_socket_as_nginx_brings_them(self):
        target = self.service()
        tunnel = self.tunnel(target.port, start=False)
        with open(tunnel.nginx.folder + "/site.conf", encoding="utf-8") as file:
            site = file.read().replace(f"server 127.0.0.1:{tunnel.server_port};", f"server unix:{self.path};")
        self.write(f"nginx-{tunnel.nginx.port}/site.conf", site)
        tunnel.server_settings.update(listen=f"unix:{self.path}", listen_mode="0666")
        server = tunnel.start_server()
        tunnel.nginx.reload()
        tunnel.start_client()
        tunnel.wait_links()
        self.assertTrue(ask(tunnel.port))
        self.assertRegex(server.log, r"link up .*peer=127.0.0.1")  # of X-Forwarded-For
        server.stop()
        self.assertFalse(os.path.lexists(self.path))


@needs("systemd-socket-activate")
class Activation(Case):
    def activate(self, name, *argv, listen, fdname=None, env=None):
        """A program as the service manager starts it: with sockets, when the first connection comes."""
        command = ["systemd-socket-activate", *(f"--listen={address}" for address in listen)]
        command += [f"--fdname={fdname}"] if fdname else []
        command += [f"--setenv={key}={value}" for key, value in (env or {}).items()]
        return self.start(name, [*command, tws_e2e.TWS, *argv])

    def connect(self, port):
        """As soon as systemd-socket-activate listens; the first connection starts the program."""
        def attempt():
            try:
                return tws_e2e.connect(port)
            except ConnectionRefusedError:
                return None
        return wait_until(attempt, f"port {port} listens")

    def say(self, peer, text=b"hello"):
        with peer:
            peer.sendall(text)
            self.assertEqual(read_exactly(peer, len(text)), text)

    def test_a_forward_is_its_named_socket_and_another_its_address(self):
        target = self.service()
        tunnel = self.tunnel(target.port, plain=True, start=False)
        tunnel.start_server()
        for number, listen in ((1, lambda port: "fd:web"), (2, lambda port: f"127.0.0.1:{port}")):
            with self.subTest(number=number):
                port = free_port()
                config = self.write(f"client{number}.yaml", yaml({**tunnel.client_settings, "forwards": [
                    {"listen": listen(port), "remote": f"127.0.0.1:{target.port}"}]}))
                client = self.activate(f"client{number}", "client", "--config", config, listen=[f"127.0.0.1:{port}"],
                                       fdname="web")
                self.say(self.connect(port))  # waits in the backlog while the client starts
                client.signal(signal.SIGHUP)
                client.wait_log("info reloaded")
                self.say(self.connect(port))

    def test_several_sockets_of_one_name_are_one_forward(self):
        target = self.service()
        tunnel = self.tunnel(target.port, plain=True, start=False)
        tunnel.start_server()
        ports = [free_port(), free_port()]
        path = os.path.join(self.folder, "activated.sock")
        config = self.write("client.yaml", yaml({**tunnel.client_settings, "forwards": [
            {"listen": "fd:web", "remote": f"127.0.0.1:{target.port}"}]}))
        self.activate("client", "client", "--config", config, fdname="web:web:web",
                      listen=[f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}", path])
        for port in ports:
            self.say(self.connect(port))
        self.assertTrue(ask_unix(path))

    def test_the_server_listens_on_its_socket(self):
        target = self.service()
        tunnel = self.tunnel(target.port, plain=True, start=False)
        tunnel.server_settings["listen"] = "fd:tunnel"
        server = self.activate("server", "server", "--config", tunnel.write_server(), fdname="tunnel",
                               listen=[f"127.0.0.1:{tunnel.server_port}"])
        tunnel.start_client()
        tunnel.wait_links()
        self.assertTrue(ask(tunnel.port))
        self.assertRegex(server.log, "listening listen=fd:tunnel")

    def test_datagrams_come_in_by_a_named_socket_and_by_its_address(self):
        target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(target.close)
        target.bind(("127.0.0.1", 0))

        def answer():
            while True:
                try:
                    data, peer = target.recvfrom(2048)
                except OSError:
                    return
                target.sendto(data.upper(), peer)
        threading.Thread(target=answer, daemon=True).start()
        remote = f"127.0.0.1:{target.getsockname()[1]}"
        tunnel = self.tunnel(1, plain=True, start=False, allow=[remote])
        tunnel.start_server()
        port = free_port()
        for number, listen in ((1, "fd:dns"), (2, f"127.0.0.1:{port}")):
            with self.subTest(listen=listen):
                config = self.write(f"client{number}.yaml", yaml({**tunnel.client_settings, "forwards": [
                    {"kind": "udp", "listen": listen, "remote": remote}]}))
                client = self.start(f"client{number}", ["systemd-socket-activate", "--datagram", f"--listen=127.0.0.1:{port}",
                                                        "--fdname=dns", tws_e2e.TWS, "client", "--config", config])
                client.wait_log("Listening on")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                    peer.settimeout(WAIT)
                    peer.connect(("127.0.0.1", port))
                    for word in (b"starts", b"and goes on"):  # the first one starts the program, and waits for it
                        peer.send(word)
                        self.assertEqual(peer.recv(2048), word.upper())
                client.stop()
        config = self.write("client3.yaml", yaml({**tunnel.client_settings, "forwards": [
            {"listen": "fd:dns", "remote": remote}]}))
        client = self.start("client3", ["systemd-socket-activate", "--datagram", f"--listen=127.0.0.1:{port}", "--fdname=dns",
                                        tws_e2e.TWS, "client", "--config", config])
        client.expected = (1,)
        client.wait_log("Listening on")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.sendto(b"x", ("127.0.0.1", port))
        client.wait_log("cannot listen listen=fd:dns .*ListenStream= is for connections, ListenDatagram=")
        self.assertEqual(client.wait_exit(), 1)

    def test_a_name_that_was_not_given_is_told_with_the_remedy(self):
        code, _, errors = self.run_tws("client", "ws://127.0.0.1:1/", "fd:web:h:80",
                                       env=dict(os.environ, TWS_PASSWD="a long secret of several words"))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r"cannot listen listen=fd:web .*set FileDescriptorName= in the \.socket unit")
