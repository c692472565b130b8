"""The last bytes: what is on its way, or still waits for a slow reader, when a process or a session ends."""
import os
import signal
import socket
import subprocess
import threading

import tws_e2e
from tws_e2e import MIB, WAIT, Case, Service, needs_cut, read_all, wait_until

# More than a unix socket takes, less than that and the first window of a channel.
SLOW = 350_000


class HeldWay(Service):
    """A way to the server that can hold back what the client sends."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.holds = False
        self.held = 0
        self.pairs = []
        super().__init__(self.carry)

    def carry(self, client):
        with socket.create_connection(("127.0.0.1", self.server_port)) as server:
            self.pairs.append((client, server))
            back = threading.Thread(target=self.carry_back, args=(server, client), daemon=True)
            back.start()
            while (data := client.recv(65536)) and not self.holds:
                server.sendall(data)
            while data:  # none of what follows may pass any more
                self.held += len(data)
                data = client.recv(65536)
            back.join()

    @staticmethod
    def carry_back(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass

    def lose(self):
        """What was held is gone, and so are its connections; others may pass."""
        self.holds = False
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Ends(Case):
    def setUp(self):
        super().setUp()
        self.heard = []
        self.drain = "30s"
        self.may_read = threading.Event()
        self.addCleanup(self.may_read.set)

    def read_late(self, peer):
        """Ends its side at once and reads only when it may."""
        peer.shutdown(socket.SHUT_WR)
        self.may_read.wait()
        self.heard.append(read_all(peer))

    def leave_behind(self):
        """A client has sent all and is gone, while the target has read nothing: its tunnel, and the bytes."""
        target = f"unix:{self.unix_service('slow', self.read_late)}"
        tunnel = self.server_for(target)
        process = self.stdio(tunnel, target, stdin=subprocess.PIPE)
        data = os.urandom(SLOW)
        process.stdin.write(data)
        process.stdin.close()
        self.assertEqual(process.wait(WAIT), 0)
        return tunnel, data

    def end_first(self, peer):
        peer.shutdown(socket.SHUT_WR)
        self.heard.append(read_all(peer))

    def stdio(self, tunnel, target, port=None, **more):
        url = f"ws://127.0.0.1:{port or tunnel.server_port}/tws"
        config = self.write("stdio.yaml", tws_e2e.yaml({"server": url, "key_file": tunnel.key_file, "drain": self.drain}))
        process = subprocess.Popen([tws_e2e.TWS, "client", "--config", config, "-W", target],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def server_for(self, target):
        tunnel = self.tunnel(target, plain=True, start=False)
        tunnel.start_server()
        return tunnel

    def test_stdio_stays_until_its_last_bytes_were_acknowledged(self):
        target = self.service(self.end_first)
        tunnel = self.server_for(target.port)
        way = HeldWay(tunnel.server_port)
        self.addCleanup(way.close)
        process = self.stdio(tunnel, f"127.0.0.1:{target.port}", port=way.port, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.read(), b"")
        way.holds = True
        data = os.urandom(100_000)
        process.stdin.write(data)
        process.stdin.close()
        wait_until(lambda: way.held >= len(data), "the last bytes are on their way")
        way.lose()
        self.assertEqual(process.wait(WAIT), 0)
        wait_until(lambda: self.heard == [data], "the target has the last bytes")

    def test_stdio_that_was_not_acknowledged_is_no_success(self):
        target = self.service(self.end_first)
        tunnel = self.server_for(target.port)
        self.drain = "300ms"
        process = self.stdio(tunnel, f"127.0.0.1:{target.port}", stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.read(), b"")
        tunnel.server.signal(signal.SIGSTOP)
        self.addCleanup(tunnel.server.signal, signal.SIGCONT)
        process.stdin.write(b"who hears this?")
        process.stdin.close()
        self.assertEqual(process.wait(WAIT), 1)
        self.assertRegex(process.stderr.read().decode(), "drain ended .*drain time is over")

    def test_a_server_hands_on_what_a_client_left_behind(self):
        tunnel, data = self.leave_behind()
        audit = tunnel.server.wait_log(r" channel .*").group()
        self.assertRegex(audit, rf'received={SLOW} .*reason="closed"')
        self.may_read.set()
        wait_until(lambda: self.heard == [data], "the target has the last bytes")

    def test_a_draining_server_waits_for_what_it_has_to_hand_on(self):
        tunnel, data = self.leave_behind()
        tunnel.server.wait_log("session over")
        tunnel.server.signal(signal.SIGTERM)
        tunnel.server.wait_log("draining")
        self.may_read.set()
        wait_until(lambda: self.heard == [data], "the target has the last bytes")
        self.assertEqual(tunnel.server.wait_exit(), 0)
        self.assertNotIn("drain ended", tunnel.server.log)

    def test_stdout_gets_what_a_server_left_behind(self):
        data = os.urandom(SLOW // 2)  # a pipe takes less than a socket
        target = self.service(lambda peer: peer.sendall(data))
        tunnel = self.server_for(target.port)
        process = self.stdio(tunnel, f"127.0.0.1:{target.port}", stdin=subprocess.DEVNULL)
        tunnel.server.wait_log(rf" channel .*sent={len(data)} ")
        tunnel.server.stop()
        self.assertIsNone(process.poll())
        self.assertEqual(process.stdout.read(), data)
        self.assertEqual(process.wait(WAIT), 0)

    def test_a_client_hands_on_what_a_server_left_behind(self):
        data = os.urandom(SLOW)
        target = self.service(lambda peer: peer.sendall(data))
        path = os.path.join(self.folder, "local")
        tunnel = self.tunnel(target.port, plain=True, client={
            "forwards": [{"listen": f"unix:{path}", "remote": f"127.0.0.1:{target.port}"}]})
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(WAIT)
            peer.connect(path)
            peer.shutdown(socket.SHUT_WR)
            tunnel.server.wait_log(rf" channel .*sent={SLOW} ")
            tunnel.server.stop()
            tunnel.client.wait_log("session over")
            self.assertEqual(read_all(peer), data)

    @needs_cut
    def test_a_client_that_drains_delivers_over_links_that_come_back(self):
        target = self.service(self.end_first)
        tunnel = self.tunnel(target.port, plain=True)
        data = os.urandom(4 * MIB)
        with tws_e2e.connect(tunnel.port) as peer:
            self.assertEqual(peer.recv(1), b"")
            peer.sendall(data)
            tunnel.client.signal(signal.SIGTERM)
            tunnel.client.wait_log("draining")
            for link in tunnel.established():
                tunnel.cut(link)
        self.assertEqual(tunnel.client.wait_exit(), 0)
        wait_until(lambda: self.heard == [data], "the target has the last bytes")
