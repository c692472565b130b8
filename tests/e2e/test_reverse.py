"""test_reverse.py - reverse forwards: the server listens, the client connects; allowed by user, taken
over by the same user's next session, and deaf to anything a server makes up."""
import getpass
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest

import tws_e2e
from tws_e2e import Case, connect, free_port, needs, needs_cut, read_all, read_exactly, wait_until


class Reverse:
    """A tunnel whose client has reverse forwards: one for each target, on the server's loopback."""

    def __init__(self, case, *targets, listen=None, rules=None, host="127.0.0.1", client=None, **more):
        self.ports = [free_port() for _ in targets] if listen is None else listen
        shown = f"[{host}]" if ":" in host else host
        self.rules = [f"{shown}:{port or '*'}" for port in self.ports] if rules is None else rules
        self.forwards = [{"listen": f"{shown}:{port}",
                          "remote": target if isinstance(target, str) else f"127.0.0.1:{target}", "reverse": True}
                         for port, target in zip(self.ports, targets)]
        self.tunnel = case.tunnel(allow=[], start=False, plain=True, client={"forwards": self.forwards, **(client or {})},
                                  **more)
        self.tunnel.users[0]["listen"] = self.rules
        self.tunnel.write_keys()

    @property
    def port(self):
        return self.ports[0]

    @property
    def server(self):
        return self.tunnel.server

    @property
    def client(self):
        return self.tunnel.client

    def start(self):
        self.tunnel.start_server()
        self.tunnel.start_client()
        self.wait_listening()
        return self

    def wait_listening(self, client=None):
        """The client's own word for each of its reverse forwards."""
        for forward in self.forwards:
            (client or self.client).wait_log(rf"reverse listening .*remote={re.escape(forward['remote'])}$")


def ask(port, host="127.0.0.1", message=b"are you there?"):
    with connect(port, host) as peer:
        peer.sendall(message)
        return read_exactly(peer, len(message)) == message


def is_refused(port):
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def answer_http(peer):
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


class ReverseForwards(Case):
    def reverse(self, *targets, **more):
        return Reverse(self, *targets, **more)

    def test_a_connection_to_the_server_reaches_the_clients_service_and_both_log_it(self):
        service = self.service()
        r = self.reverse(service.port).start()
        with connect(r.port) as peer:
            source = f"127.0.0.1:{peer.getsockname()[1]}"
            peer.sendall(b"hello")
            self.assertEqual(read_exactly(peer, 5), b"hello")
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(peer), b"")
        line = rf"channel session=\w+ user={{}} ch=2 source={source} target={{}} sent=5 received=5 .*reason=\"closed\""
        r.server.wait_log(line.format("tester", f"127.0.0.1:{r.port}"))
        r.client.wait_log(line.format(r"\S+", f"127.0.0.1:{service.port}"))

    def test_a_refused_target_resets_the_connection_and_a_reset_passes(self):
        r = self.reverse(free_port(), self.service(tws_e2e.reset).port).start()
        for port in r.ports:
            with connect(port) as peer:
                with self.assertRaises(ConnectionResetError):
                    read_all(peer)
        r.server.wait_log("channel .*reason=\"connection refused\"")

    def test_ipv6_localhost_and_every_address(self):
        service = self.service()
        r = self.reverse(service.port, host="::1").start()
        self.assertTrue(ask(r.port, "::1"))
        ports = [free_port() for _ in range(4)]
        both = self.reverse()
        both.forwards += [{"listen": f"{host}:{port}", "remote": f"127.0.0.1:{service.port}", "reverse": True}
                          for host, port in zip(("localhost", "localhost", "", "0.0.0.0"), ports)]
        both.rules += [f"localhost:{ports[0]}", f"127.0.0.1:{ports[1]}", f"*:{ports[2]}", f"0.0.0.0:{ports[3]}"]
        both.tunnel.write_keys()
        both.tunnel.start_server()
        both.tunnel.start_client()
        wait_until(lambda: both.client.log.count("reverse listening") == 4, "all are listened on")
        for port, hosts in zip(ports, (("127.0.0.1", "::1"), ("127.0.0.1",), ("127.0.0.1", "::1"), ("127.0.0.1",))):
            for host in hosts:
                self.assertTrue(ask(port, host), f"{host} {port}")
        for port in (ports[1], ports[3]):
            with self.assertRaises(ConnectionRefusedError):
                connect(port, "::1")

    def test_port_0_is_one_of_the_servers_choice_and_both_logs_say_which(self):
        r = self.reverse(self.service().port, listen=[0], rules=["127.0.0.1"]).start()
        port = int(r.client.wait_log(r"reverse listening .*listen=127\.0\.0\.1:(\d+) remote=").group(1))
        r.server.wait_log(rf"reverse listening .*user=tester ch=1 listen=127\.0\.0\.1:{port}$")
        self.assertTrue(ask(port))

    def test_what_no_rule_allows_is_refused_with_what_to_do_and_comes_with_the_rule(self):
        r = self.reverse(self.service().port, rules=["127.0.0.1:1"])
        r.tunnel.start_server()
        r.tunnel.start_client()
        r.client.wait_log(rf"reverse forward refused .*listen=127\.0\.0\.1:{r.port} code=8 .*keys file \(listen\).*"
                          r"text=\"no listen rule of the user allows the address\"")
        r.server.wait_log(rf"channel .*target=127\.0\.0\.1:{r.port} .*reason=\"forbidden")
        self.assertTrue(is_refused(r.port))
        r.rules[0] = f"127.0.0.1:{r.port}"
        r.tunnel.write_keys()
        r.server.signal(signal.SIGHUP)
        r.wait_listening()
        self.assertTrue(ask(r.port))
        self.assertEqual(r.client.log.count("reverse forward refused"), 1)

    def test_a_rule_that_is_gone_ends_the_listening_and_no_connection(self):
        r = self.reverse(self.service().port).start()
        with connect(r.port) as peer:
            peer.sendall(b"1")
            read_exactly(peer, 1)
            del r.rules[0]
            r.tunnel.write_keys()
            r.server.signal(signal.SIGHUP)
            r.client.wait_log("reverse listening over .*code=8 .*text=\"the user's rules allow it no more\"")
            self.assertTrue(is_refused(r.port))
            peer.sendall(b"2")
            self.assertEqual(read_exactly(peer, 1), b"2")

    def test_the_client_reloads_its_reverse_forwards(self):
        first, second = self.service(), self.service(lambda peer: peer.sendall(b"second"))
        r = self.reverse(first.port, rules=["127.0.0.1"]).start()
        other = free_port()
        with connect(r.port) as peer:
            peer.sendall(b"1")
            read_exactly(peer, 1)
            r.forwards[0]["remote"] = f"127.0.0.1:{second.port}"
            r.forwards.append({"listen": f"127.0.0.1:{other}", "remote": f"127.0.0.1:{first.port}", "reverse": True})
            r.tunnel.write_client()
            r.client.signal(signal.SIGHUP)
            r.client.wait_log(rf"reverse listening .*listen=127\.0\.0\.1:{other} ")
            with connect(r.port) as again:
                self.assertEqual(read_all(again), b"second")
            self.assertTrue(ask(other))
            del r.forwards[0]
            r.tunnel.write_client()
            r.client.signal(signal.SIGHUP)
            wait_until(lambda: is_refused(r.port), "the first is listened on no more")
            self.assertTrue(ask(other))
            peer.sendall(b"2")
            self.assertEqual(read_exactly(peer, 1), b"2")

    def test_the_same_users_next_client_takes_the_port_over_at_once(self):
        """Killed, so that the server knows nothing of its end: the old session is in its grace, or still
        has a link when the new one asks."""
        r = self.reverse(self.service().port).start()
        for end in (signal.SIGKILL, signal.SIGSTOP):
            old = r.client
            old.signal(end)
            r.tunnel.start_client()
            r.wait_listening()
            self.assertTrue(ask(r.port))
            r.client.wait_log("channel session") # nothing of it is left for the grace
            self.assertNotIn("refused", r.client.log)
            old.signal(signal.SIGKILL)
            old.wait_exit()
            old.expected = (-signal.SIGKILL,)
        self.assertTrue(ask(r.port))

    def test_two_clients_with_one_key_do_not_take_it_from_each_other_in_turns(self):
        r = self.reverse(self.service().port).start()
        first = r.client
        r.tunnel.start_client()
        r.wait_listening()
        first.wait_log("reverse listening over .*code=14 .*another session of the same user took it over")
        first.wait_log("reverse forward refused .*a newer session of the same user listens there")
        self.assertEqual(r.client.log.count("reverse listening "), 1)
        self.assertTrue(ask(r.port))
        r.client.stop()
        wait_until(lambda: first.log.count("reverse listening session") == 2, "the first one listens again")
        self.assertTrue(ask(r.port))

    def test_another_user_meets_a_busy_port_and_is_told_which(self):
        r = self.reverse(self.service().port).start()
        key_file, key = self.keygen("other")
        r.tunnel.users.append({"name": "other", "key": key, "allow": [], "listen": r.rules})
        r.tunnel.write_keys()
        r.server.signal(signal.SIGHUP)
        r.server.wait_told("RELOADING=1")
        r.tunnel.client_settings["key_file"] = key_file
        first = r.client
        r.tunnel.start_client()
        r.client.wait_log(rf"reverse forward refused .*code=14 .*cannot listen on 127\.0\.0\.1:{r.port}: Address already in use")
        r.server.wait_log(rf"cannot listen .*user=other listen=127\.0\.0\.1:{r.port} .*Address already in use")
        self.assertTrue(ask(r.port))
        first.stop()
        r.wait_listening()
        self.assertTrue(ask(r.port))

    def test_limits_of_listeners_and_channels(self):
        service = self.service()
        two = self.reverse(service.port, service.port)
        two.tunnel.users[0]["max_listens"] = 1
        two.tunnel.write_keys()
        two.tunnel.start_server()
        two.tunnel.start_client()
        two.client.wait_log("reverse forward refused .*code=14 .*text=\"the user's max_listens is reached\"")
        port = int(two.client.wait_log(r"reverse listening .*listen=127\.0\.0\.1:(\d+) ").group(1))
        self.assertTrue(ask(port))
        r = self.reverse(service.port)  # another: who asks for a listener again and again has a channel for it each time
        r.tunnel.users[0]["max_channels"] = 2
        r.tunnel.write_keys()
        r.start()
        peers = [connect(r.port) for _ in range(3)]
        for peer in peers[:2]:
            peer.sendall(b"x")
            read_exactly(peer, 1)
        with self.assertRaises(ConnectionResetError):
            read_all(peers[2])
        r.server.wait_log("connection closed .*max_channels")
        peers[0].close()
        wait_until(lambda: "reason=\"closed\"" in r.server.log, "a channel is over")
        self.assertTrue(ask(r.port))

    def test_a_removed_key_ends_the_listening(self):
        r = self.reverse(self.service().port).start()
        r.tunnel.users[0]["key"] = self.keygen("new")[1]
        r.tunnel.write_keys()
        r.server.signal(signal.SIGHUP)
        wait_until(lambda: is_refused(r.port), "nothing listens there")

    @needs_cut
    def test_links_are_cut_and_the_listening_stays(self):
        r = self.reverse(self.service().port, links=1).start()
        with connect(r.port) as peer:
            r.tunnel.cut(r.tunnel.established().pop())
            with connect(r.port) as waiting:
                for one in (peer, waiting):
                    one.sendall(b"after")
                    self.assertEqual(read_exactly(one, 5), b"after")
        self.assertNotIn("reverse listening over", r.server.log)
        self.assertEqual(r.client.log.count("reverse listening"), 1)

    @needs_cut
    @needs("iperf3")
    def test_iperf3_through_links_that_are_cut_under_load(self):
        target = free_port()
        self.start("iperf3", ["iperf3", "-s", "-p", str(target), "-1"])
        wait_until(lambda: tws_e2e.is_listening(target), "iperf3 listens")
        r = self.reverse(target).start()
        done = threading.Event()

        def cut_all_the_time():
            while not done.wait(0.2):
                for port in list(r.tunnel.established())[:1]:
                    subprocess.run(["ss", "-K", "-tn", f"sport = :{port}", f"dport = :{r.tunnel.link_port}"],
                                   check=False, capture_output=True)
        cutter = threading.Thread(target=cut_all_the_time)
        cutter.start()
        try:
            report = self.run_program("iperf3", "-c", "127.0.0.1", "-p", str(r.port), "-t", "2", "--bidir")
        finally:
            done.set()
            cutter.join()
        self.assertIn("iperf Done", report)
        self.assertGreater(r.client.log.count("link down"), 0)

    def test_a_new_server_is_asked_again(self):
        r = self.reverse(self.service().port).start()
        r.server.signal(signal.SIGKILL)
        r.server.wait_exit()
        r.server.expected = (-signal.SIGKILL,)
        r.tunnel.start_server()
        wait_until(lambda: r.client.log.count("reverse listening session") == 2, "the new server listens")
        self.assertTrue(ask(r.port))

    def proxy(self, kind, allow, **more):
        r = self.reverse(**more)
        r.ports.append(free_port())
        r.rules.append(f"127.0.0.1:{r.port}")
        r.forwards.append({"listen": f"127.0.0.1:{r.port}", "kind": kind, "allow": allow, "reverse": True})
        r.tunnel.write_keys()
        r.tunnel.start_server()
        r.tunnel.start_client()
        r.client.wait_log(rf"reverse listening .*listen=127\.0\.0\.1:{r.port} kind={kind}$")
        return r

    def curl(self, *arguments):
        done = subprocess.run(["curl", "-sS", "--max-time", "10", *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    @needs("curl")
    def test_a_reverse_proxy_reaches_what_the_clients_own_rules_allow(self):
        page = self.service(answer_http)
        other = self.service(answer_http)
        for kind, schemes in (("socks", ("socks4", "socks4a", "socks5", "socks5h")), ("http", ("http",)),
                              ("proxy", ("socks5h", "http"))):
            r = self.proxy(kind, [f"127.0.0.1:{page.port}", f"localhost:{page.port}"])
            for scheme in schemes:
                via = ["-x", f"{scheme}://127.0.0.1:{r.port}"]
                self.assertEqual(self.curl(*via, f"http://127.0.0.1:{page.port}/")[1], "hello\n", scheme)
                if scheme in ("socks4a", "socks5h", "http"): # the name is resolved by the client
                    self.assertEqual(self.curl(*via, f"http://localhost:{page.port}/")[1], "hello\n", scheme)
                code, _, errors = self.curl(*via, "-p", f"http://127.0.0.1:{other.port}/")
                self.assertNotEqual(code, 0, f"{scheme} {errors}")
            r.client.wait_log(rf"channel .*target=127\.0\.0\.1:{other.port} .*reason=\"forbidden")
            r.server.wait_log(rf"channel .*target=127\.0\.0\.1:{page.port} .*reason=\"closed\"")
            if kind == "socks":
                with connect(r.port) as peer: # UDP ASSOCIATE: a port of the server that no rule names
                    peer.sendall(b"\5\1\0" + b"\5\3\0\1" + bytes(6))
                    self.assertEqual(read_exactly(peer, 4), b"\5\0\5\7")
        self.assertEqual(other.accepted, 0)

    @needs("curl")
    def test_the_rules_of_a_reverse_proxy_are_reloaded(self):
        page = self.service(answer_http)
        r = self.proxy("socks", ["127.0.0.1:1"])
        via = ["-x", f"socks5://127.0.0.1:{r.port}", f"http://127.0.0.1:{page.port}/"]
        self.assertEqual(self.curl(*via)[0], 97)
        r.forwards[0]["allow"] = [f"127.0.0.1:{page.port}"]
        r.tunnel.write_client()
        r.client.signal(signal.SIGHUP)
        r.client.wait_log("reloaded")
        self.assertEqual(self.curl(*via)[1], "hello\n")
        self.assertEqual(r.client.log.count("reverse listening"), 1)
        # UDP ASSOCIATE would open a port on the server that no rule there names
        with connect(r.port) as peer:
            peer.sendall(b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6))
            self.assertEqual(read_all(peer), b"\x05\x00\x05\x07\x00\x01" + bytes(6))

    def test_datagrams_and_connections_on_one_port(self):
        target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(target.close)
        target.bind(("127.0.0.1", 0))

        def echo_datagrams():
            while True:
                try:
                    data, peer = target.recvfrom(65536)
                except OSError:
                    return
                target.sendto(data, peer)
        threading.Thread(target=echo_datagrams, daemon=True).start()
        r = self.reverse(self.service().port, client={"grace": "1s"})
        r.forwards.append(dict(r.forwards[0], kind="udp", remote=f"127.0.0.1:{target.getsockname()[1]}"))
        r.start()
        self.assertTrue(ask(r.port))

        def flow():
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(peer.close)
            peer.settimeout(tws_e2e.WAIT)
            peer.connect(("127.0.0.1", r.port))
            return peer

        def answers(peer, data):
            peer.send(data)
            self.assertEqual(peer.recv(65536), data)
        one, two = flow(), flow()
        for size in (0, 1, 1400, 16000):
            answers(one, b"1" * size)
            answers(two, b"2" * size)
        old = r.client
        old.signal(signal.SIGSTOP)
        r.tunnel.start_client()
        r.wait_listening()
        answers(flow(), b"taken over")
        old.signal(signal.SIGKILL)
        old.wait_exit()
        old.expected = (-signal.SIGKILL,)
        r.rules[0] = f"tcp/{r.rules[0]}"
        r.tunnel.write_keys()
        r.server.signal(signal.SIGHUP)
        r.client.wait_log("reverse listening over .*code=8 ")
        r.client.wait_log("reverse forward refused .*code=8 ")
        late = flow()
        late.send(b"x")
        with self.assertRaises(ConnectionRefusedError):
            late.recv(1)
        self.assertTrue(ask(r.port))

    @needs("ssh", "sshd", "ssh-keygen")
    def test_ssh_to_a_machine_behind_the_client(self):
        port, options = self.start_sshd()
        r = self.reverse(port).start()
        there = f"{getpass.getuser()}@127.0.0.1"
        out = self.run_program("ssh", *options, "-p", str(r.port), there, "echo $((6*7)); seq 100000 | tail -1")
        self.assertEqual(out.split(), ["42", "100000"])

    @needs("curl")
    def test_a_unix_socket_of_the_client(self):
        path = self.unix_service("web", answer_http)
        r = self.reverse(f"unix:{path}").start()
        self.assertEqual(self.curl(f"http://127.0.0.1:{r.port}/")[1], "hello\n")
        r.client.wait_log(rf"channel .*target=unix:{path} ")

    def on_unix_socket(self, **user):
        """Listens at the server on a unix socket in a directory that a rule names."""
        r = self.reverse(self.service().port, listen=[0], rules=[f"unix:{self.folder}/r*"])
        r.path = os.path.join(self.folder, "r.sock")
        r.forwards[0]["listen"] = f"unix:{r.path}"
        r.tunnel.users[0].update(user)
        r.tunnel.write_keys()
        return r

    def ask_path(self, path):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(tws_e2e.WAIT)
            peer.connect(path)
            peer.sendall(b"by path")
            return read_exactly(peer, 7) == b"by path"

    def mode(self, path):
        return stat.S_IMODE(os.lstat(path).st_mode)

    def test_the_server_listens_on_a_unix_socket_with_the_mode_that_the_keys_file_says(self):
        r = self.on_unix_socket().start()
        self.assertTrue(self.ask_path(r.path))
        self.assertEqual(self.mode(r.path), 0o600)
        r.server.wait_log(rf"reverse listening .*user=tester ch=1 listen=unix:{r.path}$")
        r.server.wait_log(rf"channel .*target=unix:{r.path} .*sent=7 received=7")
        r.tunnel.users[0]["listen_mode"] = "0666"
        r.tunnel.write_keys()
        r.server.signal(signal.SIGHUP)
        wait_until(lambda: self.mode(r.path) == 0o666, "the file has its new mode")
        self.assertTrue(self.ask_path(r.path))
        r.client.stop()
        wait_until(lambda: not os.path.lexists(r.path), "its file is gone")
        r.tunnel.start_client()
        r.wait_listening()
        r.server.stop()
        self.assertFalse(os.path.lexists(r.path))

    def test_a_unix_socket_is_taken_over_and_a_stale_file_replaced_but_no_live_one(self):
        r = self.on_unix_socket().start()
        old = r.client
        old.signal(signal.SIGSTOP)
        r.tunnel.start_client()
        r.wait_listening()
        self.assertTrue(self.ask_path(r.path))
        for process in (old, r.server):
            process.signal(signal.SIGKILL)
            process.wait_exit()
            process.expected = (-signal.SIGKILL,)
        self.assertTrue(os.path.lexists(r.path))
        r.tunnel.start_server()
        wait_until(lambda: r.client.log.count("reverse listening session") == 2, "the new server listens")
        self.assertTrue(self.ask_path(r.path))
        r.client.stop()
        with socket.socket(socket.AF_UNIX) as other:
            wait_until(lambda: not os.path.lexists(r.path), "its file is gone")
            other.bind(r.path)
            other.listen()
            r.tunnel.start_client()
            r.client.wait_log(rf"reverse forward refused .*cannot listen on unix:{r.path}: Address already in use")
            r.server.wait_log(rf"cannot listen .*listen=unix:{r.path} .*another program listens there \(ss -lxp")

    def test_the_command_line_reverses_to_a_unix_socket_that_a_rule_allows_and_to_no_other(self):
        r = self.on_unix_socket()
        r.tunnel.start_server()
        secret = os.path.join(self.folder, "secret")
        client = self.start_tws("client", "client", f"ws://127.0.0.1:{r.tunnel.server_port}/tws",
                                f"R:unix:{r.path}:{r.forwards[0]['remote']}", f"R:unix:{secret}:localhost:1",
                                "--key_file", r.tunnel.client_settings["key_file"])
        client.wait_log(rf"reverse listening .*listen=unix:{r.path} remote={r.forwards[0]['remote']}$")
        client.wait_log(rf"reverse forward refused .*listen=unix:{secret} code=8 ")
        self.assertTrue(self.ask_path(r.path))
        self.assertFalse(os.path.lexists(secret))

    def test_a_server_that_goes_down_drains(self):
        r = self.reverse(self.service().port).start()
        with connect(r.port) as peer:
            peer.sendall(b"1")
            read_exactly(peer, 1)
            r.server.signal(signal.SIGTERM)
            wait_until(lambda: is_refused(r.port), "it listens no more")
            peer.sendall(b"2")
            self.assertEqual(read_exactly(peer, 1), b"2")
            self.assertTrue(r.server.is_running())
        self.assertEqual(r.server.wait_exit(), 0)

    def test_a_client_that_goes_down_drains(self):
        r = self.reverse(self.service().port).start()
        with connect(r.port) as peer:
            peer.sendall(b"1")
            read_exactly(peer, 1)
            r.client.signal(signal.SIGTERM)
            wait_until(lambda: is_refused(r.port), "the server listens no more")
            peer.sendall(b"2")
            self.assertEqual(read_exactly(peer, 1), b"2")
            self.assertTrue(r.client.is_running())
        self.assertEqual(r.client.wait_exit(), 0)

    def test_an_idle_reverse_forward_holds_no_drain_up(self):
        r = self.reverse(self.service().port).start()
        since = time.monotonic()
        r.client.signal(signal.SIGTERM)
        self.assertEqual(r.client.wait_exit(), 0)
        r.tunnel.start_client()
        r.wait_listening()
        r.server.signal(signal.SIGTERM)
        self.assertEqual(r.server.wait_exit(), 0)
        self.assertLess(time.monotonic() - since, 15)  # a drain may take 30 s


if __name__ == "__main__":
    unittest.main()
