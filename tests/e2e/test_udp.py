"""UDP forwards: whole datagrams, a flow for each sender, with real programs at both ends."""
import contextlib
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import unittest

from tws_e2e import Case, ask, free_port, needs, needs_cut, not_sanitized, wait_until

LARGEST = 32768 - 16 - 16  # a message, less its frame's header and what sealing needs


class Echo:
    """Answers each datagram with itself, in front of it `mark`."""

    def __init__(self, host="127.0.0.1", mark=b"", port=0):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        self.mark, self.seen, self.last = mark, set(), None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                data, sender = self.socket.recvfrom(65536)
                self.seen.add(sender[1])
                self.last = (sender[0], data)
                self.socket.sendto(self.mark + data, sender)
            except OSError:
                return

    def close(self):
        self.socket.close()


def client(port, host="127.0.0.1", timeout=5.0, source=None):
    peer = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if source:
        peer.bind((source, 0))
    peer.connect((host, port))
    peer.settimeout(timeout)
    return peer


def answer(peer, message, tries=1):
    """What comes back for a datagram, or None."""
    for _ in range(tries):
        peer.send(message)
        try:
            return peer.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            pass
    return None


def udp_sockets(pid):
    """UDP sockets that the process has, faster found than flows of a few 100 ms end."""
    own = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            own.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    listed = []
    for family in ("udp", "udp6"):
        with open(f"/proc/{pid}/net/{family}", encoding="ascii") as file:
            listed += file.read().splitlines()[1:]
    return [line for line in listed if f"socket:[{line.split()[9]}]" in own]


class Udp(Case):
    def echo(self, *args, **more):
        echo = Echo(*args, **more)
        self.addCleanup(echo.close)
        return echo

    def forward(self, target, listen="127.0.0.1", **more):
        """A tunnel with one UDP forward; its port is tunnel.port."""
        tunnel = self.tunnel(target, start=False, plain=True, **more)
        tunnel.client_settings["forwards"] = [{"kind": "udp", "listen": f"{listen}:{tunnel.port}",
                                               "remote": tunnel.targets[0]}]
        tunnel.start_server()
        tunnel.start_client()
        self.wait_up(tunnel)
        return tunnel

    @staticmethod
    def wait_up(tunnel):
        wait_until(lambda: len(tunnel.established()) == tunnel.links, "the links are up")

    def test_datagrams_of_every_size_cross_whole_and_empty_ones_too(self):
        echo = self.echo()
        tunnel = self.forward(echo.port)
        with client(tunnel.port) as peer:
            for size in (0, 1, 64, 512, 1400, 9000, 20000, LARGEST - 1, LARGEST, 0):
                message = os.urandom(size)
                self.assertEqual(answer(peer, message, 3), message, size)
            peer.send(bytes(LARGEST + 1))
            tunnel.client.wait_log(rf"datagram dropped .*bytes={LARGEST + 1} reason=\"no more than {LARGEST} fit")
            self.assertEqual(answer(peer, b"still there", 3), b"still there")

    def test_each_sender_is_a_flow_and_gets_only_its_own_answers(self):
        echo = self.echo()
        tunnel = self.forward(echo.port)
        peers = [client(tunnel.port) for _ in range(50)]
        for number, peer in enumerate(peers):
            self.addCleanup(peer.close)
            peer.send(f"from {number}".encode())
        for number, peer in enumerate(peers):
            self.assertEqual(peer.recv(100), f"from {number}".encode())
        self.assertEqual(len(echo.seen), 50)

    def test_ipv6_and_localhost_listen_and_lead_on(self):
        echo = self.echo("::1")
        tunnel = self.forward(f"[::1]:{echo.port}", "localhost")
        for host in ("127.0.0.1", "::1"):
            with client(tunnel.port, host) as peer:
                self.assertEqual(answer(peer, b"hello", 3), b"hello", host)

    def test_answers_come_from_the_address_that_was_asked(self):
        echo = self.echo()
        tunnel = self.forward(echo.port, "*")
        for host in ("127.0.0.1", "127.0.0.7", "::1"):  # connected: others would not be heard
            with client(tunnel.port, host) as peer:
                self.assertEqual(answer(peer, b"hello", 3), b"hello", host)

    def test_a_plain_forward_carries_tcp_and_udp_on_one_port_unless_no_udp(self):
        echo = self.echo()
        target = self.service()
        stream = self.tunnel(target.port, start=False, plain=True, allow=["127.0.0.0/8:1-65535"])
        stream.client_settings.update(forwards=[], listen=f"127.0.0.1:{stream.port}", remote=f"127.0.0.1:{target.port}")
        del stream.client_settings["forwards"]
        echo.close()
        echo = self.echo(port=target.port)
        stream.start_server()
        stream.start_client()
        self.wait_up(stream)
        self.assertTrue(ask(stream.port))
        with client(stream.port) as peer:
            self.assertEqual(answer(peer, b"datagram", 3), b"datagram")
        stream.client_settings["no_udp"] = True
        stream.write_client()
        stream.client.signal(signal.SIGHUP)
        wait_until(lambda: not udp_sockets(stream.client.popen.pid), "the UDP port is closed")
        self.assertTrue(ask(stream.port))

    def test_a_server_with_no_udp_refuses_and_the_client_says_so(self):
        tunnel = self.forward(self.echo().port, server={"no_udp": True})
        with client(tunnel.port, timeout=0.2) as peer:
            self.assertIsNone(answer(peer, b"anybody?"))
        tunnel.client.wait_log(r"warn flow reset .*reason=\"[^\"]+\" text=\"no_udp is set\"")

    def test_rules_close_udp_too(self):
        tunnel = self.forward(self.echo().port, allow=["127.0.0.1:1"])
        with client(tunnel.port, timeout=0.2) as peer:
            self.assertIsNone(answer(peer, b"anybody?"))
        tunnel.client.wait_log(r"warn flow reset .*text=\"no rule of the user allows the target\"")
        self.assertEqual(udp_sockets(tunnel.server.popen.pid), [])

    @unittest.skipUnless(os.getuid() == 0, "a foreign source address needs CAP_NET_ADMIN")
    def test_ways_out_hold_for_flows_or_refuse_them(self):
        echoes = {way: self.echo() for way in ("bind", "spoof", "send_proxy", "via", "v1", "moved", "closed")}
        to = {way: [f"udp/127.0.0.1:{echo.port}"] for way, echo in echoes.items()}
        elsewhere = free_port()
        tunnel = self.tunnel(*(echo.port for echo in echoes.values()), plain=True, start=False, server={"egress": [
            {"to": to["bind"], "bind": "127.0.0.66"},
            {"to": to["spoof"], "spoof": True, "from": ["127.0.0.0/8"]},
            {"to": to["send_proxy"], "send_proxy": "v2"},
            {"to": to["via"], "via": "socks5://127.0.0.1:1080"},
            {"to": to["v1"], "send_proxy": "v1"},
            {"to": [f"udp/app.example:{elsewhere}"], "ipv4": f"127.0.0.1:{echoes['moved'].port}"},
            {"to": [f"udp/127.0.0.2:{elsewhere}"], "ipv4": f"127.0.0.1:{echoes['closed'].port}"}]},
            allow=[target for way in to if way != "closed" for target in to[way]]
            + [f"app.example:{elsewhere}", f"127.0.0.2:{elsewhere}"])
        tunnel.targets[5:] = [f"app.example:{elsewhere}", f"127.0.0.2:{elsewhere}"]
        tunnel.client_settings["forwards"] = [{"kind": "udp", "listen": f"127.0.0.1:{port}", "remote": target}
                                              for port, target in zip(tunnel.ports, tunnel.targets)]
        tunnel.start_server()
        tunnel.start_client()
        self.wait_up(tunnel)
        ports = dict(zip(echoes, tunnel.ports))
        with client(ports["bind"]) as peer:
            self.assertEqual(answer(peer, b"hello", 3), b"hello")
        self.assertEqual(echoes["bind"].last, ("127.0.0.66", b"hello"))
        with client(ports["spoof"], source="127.0.0.77") as peer:
            self.assertEqual(answer(peer, b"hello", 3), b"hello")
        self.assertEqual(echoes["spoof"].last[0], "127.0.0.77")
        with client(ports["moved"]) as peer:
            self.assertEqual(answer(peer, b"hello", 3), b"hello")
        with client(ports["send_proxy"], source="127.0.0.78") as peer:
            source = peer.getsockname()[1]
            got = answer(peer, b"hello", 3)
        target = echoes["send_proxy"].port
        self.assertEqual(got, b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c" + socket.inet_aton("127.0.0.78") +
                         socket.inet_aton("127.0.0.1") + struct.pack(">HH", source, target) + b"hello")
        for way, words in (("via", "via: the upstream proxy is asked for no datagrams"),
                           ("v1", "send_proxy: version 1 has no datagrams"),
                           ("closed", "no rule of the user allows the address")):
            with client(ports[way], timeout=0.2) as peer:
                self.assertIsNone(answer(peer, b"hello"))
            tunnel.client.wait_log(f"flow reset .*text=\"{words}\"")
            self.assertIsNone(echoes[way].last)

    def test_a_port_that_nobody_has_is_reported_and_flows_come_back_with_it(self):
        port = free_port()
        tunnel = self.forward(port)
        with client(tunnel.port, timeout=0.2) as peer:
            self.assertIsNone(answer(peer, b"anybody?"))
            tunnel.client.wait_log(r"warn flow reset .*code=10 ")
            self.echo(port=port)
            wait_until(lambda: answer(peer, b"now?") == b"now?", "somebody has the port now")

    def test_a_silent_flow_ends_on_both_sides_and_a_later_datagram_begins_another(self):
        tunnel = self.forward(self.echo().port, client={"udp_timeout": "300ms"})
        with client(tunnel.port) as peer:
            wait_until(lambda: answer(peer, b"one", 3) == b"one" and len(udp_sockets(tunnel.server.popen.pid)) == 1,
                       "there is a socket")
            tunnel.server.wait_log(r"info channel .*reason=\"idle")
            wait_until(lambda: not udp_sockets(tunnel.server.popen.pid), "its socket is closed")
            self.assertEqual(answer(peer, b"two", 3), b"two")

    @not_sanitized  # thousands of flows
    def test_senders_that_vanish_leave_a_bounded_number_of_flows(self):
        echo = self.echo()
        tunnel = self.forward(echo.port)

        for _ in range(16):
            for _ in range(500):
                with client(tunnel.port) as peer:
                    peer.send(b"bye")
            if 'warn datagrams dropped reason="4096 flows are open, and all of them are busy"' in tunnel.client.log:
                break  # or it takes so long that the first give way to the last
        self.assertLessEqual(len(udp_sockets(tunnel.server.popen.pid)), 4096)
        with client(tunnel.port, timeout=0.3) as peer:  # those without an answer, or silent for long, give way
            wait_until(lambda: answer(peer, b"and me?") == b"and me?", "there is room for another")

    def test_a_server_without_descriptors_refuses_flows_and_recovers(self):
        tunnel = self.forward(self.echo().port, client={"udp_timeout": "500ms"},
                              server_limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        peers = [client(tunnel.port, timeout=0.3) for _ in range(100)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.send(b"x")
        tunnel.client.wait_log(r"flow reset .*code=14 ")
        wait_until(lambda: answer(peers[99], b"now?") == b"now?", "the server has descriptors again")

    def test_a_new_remote_takes_flows_along_on_reload(self):
        first, second = self.echo(mark=b"1"), self.echo(mark=b"2")
        tunnel = self.forward(first.port, allow=["127.0.0.0/8:1-65535"])
        with client(tunnel.port, timeout=1.0) as peer:
            wait_until(lambda: answer(peer, b"a") == b"1a", "flows lead to the first remote")
            tunnel.client_settings["forwards"][0]["remote"] = f"127.0.0.1:{second.port}"
            tunnel.write_client()
            tunnel.client.signal(signal.SIGHUP)
            wait_until(lambda: answer(peer, b"b") == b"2b", "flows lead to the new remote")

    @needs_cut
    def test_flows_go_on_when_links_are_cut(self):
        tunnel = self.forward(self.echo().port)
        with client(tunnel.port, timeout=0.2) as peer:
            for _ in range(3):
                wait_until(lambda: answer(peer, b"x") == b"x", "an answer")  # maybe behind late ones
                for port in tunnel.established():
                    tunnel.cut(port)
                wait_until(lambda: answer(peer, b"y") == b"y", "an answer over new links")
                self.wait_up(tunnel)

    def test_a_datagram_before_the_first_link_waits_for_it(self):
        echo = self.echo()
        tunnel = self.forward(echo.port)
        tunnel.server.stop()
        wait_until(lambda: not tunnel.established(), "the links are down")
        with client(tunnel.port, timeout=10) as peer:
            peer.send(b"early")
            tunnel.start_server()
            self.assertEqual(peer.recv(100), b"early")

    @needs("dnsmasq", "dig")
    def test_dig_asks_a_real_server_over_ipv4_and_ipv6(self):
        port = free_port()
        self.start("dnsmasq", ["dnsmasq", "-k", "-C", "/dev/null", "-p", str(port), "--no-resolv", "--no-hosts",
                               "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--pid-file",
                               "--address=/db.example/192.0.2.7", "--txt-record=long.example," + ",".join(["x" * 250] * 4)])
        for listen, host in (("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")):
            tunnel = self.forward(f"localhost:{port}", listen, allow=[f"localhost:{port}"])
            digs = ["dig", f"@{host}", "-p", str(tunnel.port), "+tries=5", "+timeout=1"]
            wait_until(lambda: subprocess.run([*digs, "+short", "db.example"], capture_output=True, text=True,
                                              check=False).stdout.strip() == "192.0.2.7", "dnsmasq answers")
            text = self.run_program(*digs, "+bufsize=4096", "+ignore", "long.example", "TXT")
            self.assertIn("x" * 250, text)
            self.assertRegex(text, r"\(UDP\)")

    @needs("iperf3")
    @not_sanitized
    def test_iperf3_measures_udp_through_a_plain_forward(self):
        port = free_port()
        self.start("iperf3", ["iperf3", "-s", "-1", "-p", str(port), "-B", "127.0.0.1"])
        tunnel = self.tunnel(port, start=False, plain=True)
        del tunnel.client_settings["forwards"]
        tunnel.client_settings.update(listen=f"127.0.0.1:{tunnel.port}", remote=f"127.0.0.1:{port}")
        tunnel.start_server()
        tunnel.start_client()
        self.wait_up(tunnel)
        text = self.run_program("iperf3", "-c", "127.0.0.1", "-p", str(tunnel.port), "-u", "-b", "4M", "-l", "1200",
                                "-t", "2")  # slow: a socket's buffer has to hold what comes while a busy machine pauses us
        lost = re.findall(r"\((\d+(?:\.\d+)?)%\)\s+receiver", text)
        self.assertTrue(lost, text)
        self.assertLess(float(lost[-1]), 5.0, text)
