"""A forwarded connection is a TCP connection: every byte, in order, and each way of ending it."""
import hashlib
import os
import signal
import socket
import subprocess
import threading

from tws_e2e import (MIB, TRANSFER_MIB, WAIT, Case, ask, connect, free_port, is_listening, needs,
                     read_all, read_exactly, reset, wait_until)

CHUNK = os.urandom(MIB + 4099)


def send_stream(peer, size, seed):
    """Sends `size` bytes that repeat at no power of two; returns their sha256."""
    digest, sent = hashlib.sha256(), 0
    while sent < size:
        start = (sent * 31 + seed) % 4099
        piece = CHUNK[start:start + min(MIB, size - sent)]
        peer.sendall(piece)
        digest.update(piece)
        sent += len(piece)
    return digest.hexdigest()


def receive_stream(peer):
    digest, size = hashlib.sha256(), 0
    while piece := peer.recv(262144):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


class Streams(Case):
    def both_ways(self, port, target, size):
        """Sends `size` bytes up and down at once and compares sha256."""
        there = {}

        def serve(peer):
            sender = threading.Thread(target=lambda: there.update(sent=send_stream(peer, size, 2)) or
                                      peer.shutdown(socket.SHUT_WR))
            sender.start()
            there["received"] = receive_stream(peer)
            sender.join()
            there["done"] = True

        target.handler = serve
        with connect(port, timeout=20 * WAIT) as peer:
            here = {}
            sender = threading.Thread(target=lambda: here.update(sent=send_stream(peer, size, 1)) or
                                      peer.shutdown(socket.SHUT_WR))
            sender.start()
            here["received"] = receive_stream(peer)
            sender.join()
        wait_until(lambda: "done" in there, "the other end is through", 20 * WAIT)
        self.assertEqual(there["received"], (here["sent"], size))
        self.assertEqual(here["received"], (there["sent"], size))

    def test_a_long_transfer_both_ways_at_once_arrives_unaltered_through_wss(self):
        target = self.service()
        self.both_ways(self.tunnel(target.port).port, target, TRANSFER_MIB * MIB)

    def test_a_transfer_both_ways_at_once_arrives_unaltered_over_plain_ws(self):
        target = self.service()
        self.both_ways(self.tunnel(target.port, plain=True).port, target, TRANSFER_MIB * MIB // 4)

    def test_a_transfer_both_ways_at_once_arrives_unaltered_sealed(self):
        target = self.service()
        tunnel = self.tunnel(target.port, plain=True, client={"encrypt": "require"})
        self.both_ways(tunnel.port, target, TRANSFER_MIB * MIB // 4)

    def test_many_connections_of_every_small_size_arrive_unaltered(self):
        tunnel = self.tunnel(self.service().port)
        for size in (1, 2, 15, 16, 17, 125, 126, 127, 4095, 16383, 16384, 32767, 32768, 65519, 65520, 65535, 65536):
            self.assertTrue(ask(tunnel.port, os.urandom(size)), size)

    def test_200_connections_at_once_keep_their_bytes_apart(self):
        tunnel = self.tunnel(self.service().port)
        peers = [connect(tunnel.port) for _ in range(200)]
        messages = [os.urandom(1000 + i) for i in range(len(peers))]
        for peer, message in zip(peers, messages):
            peer.sendall(message)
        for peer, message in zip(peers, messages):
            self.assertEqual(read_exactly(peer, len(message)), message)
            peer.close()

    def test_a_connection_that_says_nothing_and_closes_reaches_the_target(self):
        ended = threading.Event()
        target = self.service(lambda peer: read_all(peer) == b"" and ended.set())
        connect(self.tunnel(target.port).port).close()
        self.assertTrue(ended.wait(WAIT))

    def test_a_target_that_speaks_first_is_heard(self):
        tunnel = self.tunnel(self.service(lambda peer: peer.sendall(b"220 welcome\r\n")).port)
        with connect(tunnel.port) as peer:
            self.assertEqual(read_all(peer), b"220 welcome\r\n")


class HalfClose(Case):
    def test_the_target_answers_after_the_client_ended_its_side(self):
        def count(peer):
            total = len(read_all(peer))
            peer.sendall(b"%d bytes" % total)

        tunnel = self.tunnel(self.service(count).port)
        with connect(tunnel.port) as peer:
            peer.sendall(b"z" * 100000)
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(peer), b"100000 bytes")

    def test_the_client_sends_on_after_the_target_ended_its_side(self):
        got = []

        def serve(peer):
            peer.sendall(b"go")
            peer.shutdown(socket.SHUT_WR)
            got.append(read_all(peer))

        tunnel = self.tunnel(self.service(serve).port)
        with connect(tunnel.port) as peer:
            self.assertEqual(read_all(peer), b"go")
            peer.sendall(b"q" * 300000)
        wait_until(lambda: got, "the target got the rest")
        self.assertEqual(got[0], b"q" * 300000)

    @needs("nc")
    def test_nc_with_N_uploads_a_whole_file(self):
        file, got = self.write("file", "line\n" * 200000), os.path.join(self.folder, "got")
        tunnel, server = self.nc_server(os.devnull, got)
        with open(file, "rb") as source:
            subprocess.run(["nc", "-N", "127.0.0.1", str(tunnel.port)], check=True, timeout=WAIT, stdin=source,
                           stdout=subprocess.DEVNULL)
        server.wait(WAIT)
        self.assertEqual(os.path.getsize(got), os.path.getsize(file))

    @needs("nc")
    def test_nc_with_N_downloads_a_whole_file(self):
        # A listening nc ends when its peer does, so this one keeps its side open until it has it all.
        file, got = self.write("file", "line\n" * 200000), os.path.join(self.folder, "got")
        tunnel, server = self.nc_server(file, os.devnull)
        with open(got, "wb") as sink:
            client = subprocess.Popen(["nc", "-N", "127.0.0.1", str(tunnel.port)], stdin=subprocess.PIPE, stdout=sink)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        wait_until(lambda: os.path.getsize(got) == os.path.getsize(file), "the file is there")
        client.stdin.close()
        self.assertEqual((client.wait(WAIT), server.wait(WAIT)), (0, 0))

    def nc_server(self, source, sink):
        """(a tunnel to it, the process) of a listening nc that sends `source` and ends its side."""
        port = free_port()
        with open(source, "rb") as stdin, open(sink, "wb") as stdout:
            server = subprocess.Popen(["nc", "-N", "-l", "127.0.0.1", str(port)], stdin=stdin, stdout=stdout)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_until(lambda: is_listening(port), "nc listens")
        return self.tunnel(port), server


class Reset(Case):
    def test_a_reset_by_the_client_resets_the_targets_connection(self):
        seen = []

        def serve(peer):
            peer.sendall(b"hello")
            try:
                seen.append(peer.recv(10))
            except ConnectionResetError:
                seen.append("reset")

        tunnel = self.tunnel(self.service(serve).port)
        peer = connect(tunnel.port)
        read_exactly(peer, 5)
        reset(peer)
        wait_until(lambda: seen, "the target's connection ended")
        self.assertEqual(seen, ["reset"])

    def test_a_reset_by_the_target_comes_after_the_bytes_before_it(self):
        def serve(peer):
            peer.sendall(b"k" * 50000)
            read_exactly(peer, 2)
            reset(peer)

        tunnel = self.tunnel(self.service(serve).port)
        with connect(tunnel.port) as peer:
            self.assertEqual(read_exactly(peer, 50000), b"k" * 50000)
            peer.sendall(b"ok")
            with self.assertRaises(ConnectionResetError):
                read_all(peer)

    def test_a_refused_target_ends_the_connection_and_no_other(self):
        good = self.service()
        tunnel = self.tunnel(good.port, free_port())
        with connect(tunnel.ports[0]) as live:
            with connect(tunnel.ports[1]) as peer:
                try:
                    self.assertEqual(peer.recv(1), b"")
                except ConnectionResetError:
                    pass
            live.sendall(b"still here")
            self.assertEqual(read_exactly(live, 10), b"still here")
        tunnel.server.wait_log(r"refused")

    def test_an_unknown_host_ends_the_connection_and_is_named_in_the_log(self):
        tunnel = self.tunnel("no-such-host.invalid:80")
        with connect(tunnel.port) as peer:
            try:
                self.assertEqual(peer.recv(1), b"")
            except ConnectionResetError:
                pass
        tunnel.server.wait_log(r"no-such-host\.invalid")


class Backpressure(Case):
    def test_a_reader_that_stops_stops_the_sender_and_gets_everything_later(self):
        size, sent = 64 * MIB, []

        def serve(peer):
            for _ in range(size // MIB):
                peer.sendall(b"p" * MIB)
                sent.append(MIB)

        tunnel = self.tunnel(self.service(serve).port)
        with connect(tunnel.port, timeout=5 * WAIT) as peer:
            before = -1
            while before != len(sent):
                before = len(sent)
                threading.Event().wait(0.5)
            self.assertLess(sum(sent), size, "nothing held the sender back")
            self.assertLess(tunnel.client.memory(), 256 * MIB)
            self.assertEqual(len(read_all(peer)), size)

    def test_urgent_bytes_stay_where_they_are_in_the_stream(self):
        """All is there before any is read: a read stops in front of an urgent byte, and no event tells of the rest."""
        stopped, said = threading.Event(), threading.Event()

        def say(peer):
            for piece, flags in ((b"before", 0), (b"!", socket.MSG_OOB), (b"behind", 0)):
                peer.send(piece, flags)

        def target(peer):
            peer.sendall(read_exactly(peer, 13))
            stopped.wait(WAIT)
            say(peer)
            said.set()
            peer.recv(1)

        tunnel = self.tunnel(self.service(target).port, plain=True)
        with connect(tunnel.port) as peer:
            tunnel.client.signal(signal.SIGSTOP)
            say(peer)
            tunnel.client.signal(signal.SIGCONT)
            self.assertEqual(read_exactly(peer, 13), b"before!behind")
            tunnel.server.signal(signal.SIGSTOP)
            stopped.set()
            said.wait(WAIT)
            tunnel.server.signal(signal.SIGCONT)
            self.assertEqual(read_exactly(peer, 13), b"before!behind")

    def test_a_stopped_client_process_is_not_lost_when_it_goes_on(self):
        target = self.service()
        tunnel = self.tunnel(target.port)
        with connect(tunnel.port) as peer:
            peer.sendall(b"before")
            read_exactly(peer, 6)
            tunnel.client.signal(signal.SIGSTOP)
            peer.sendall(b"during")
            tunnel.client.signal(signal.SIGCONT)
            self.assertEqual(read_exactly(peer, 6), b"during")
