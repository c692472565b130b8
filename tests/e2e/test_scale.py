"""Many of everything: channels, readers that stall, clients that come at once, descriptors that run
out."""
import os
import resource
import socket
import subprocess
import sys
import time

import tws_e2e
from tws_e2e import MIB, WAIT, Case, alone, ask, connect, free_port, not_sanitized, read_exactly, wait_until, yaml

CHANNELS = 10000

# Holds many connections open in a process of its own, so that no process needs 20,000 descriptors:
# `listen PORT` echoes; `connect PORT COUNT` opens them, says so, asks each once, and waits for a line.
HOLDER = r"""
import resource, selectors, socket, sys
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
if sys.argv[1] == "listen":
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=4096)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            try:
                if key.fileobj is listener:
                    peer, _ = listener.accept()
                    selector.register(peer, selectors.EVENT_READ)
                else:
                    data = key.fileobj.recv(4096)
                    if data:
                        key.fileobj.sendall(data)
                    else:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
            except OSError:
                if key.fileobj is not listener:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
else:
    port, count = int(sys.argv[2]), int(sys.argv[3])
    peers = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
    for round in range(2):
        for i, peer in enumerate(peers):
            peer.sendall(b"%08d" % i)
        for i, peer in enumerate(peers):
            got = b""
            while len(got) < 8:
                piece = peer.recv(8 - len(got))
                assert piece, f"connection {i} ended"
                got += piece
            assert got == b"%08d" % i, (i, got)
        print("asked", flush=True)
        sys.stdin.readline()
"""


class Holder:
    def __init__(self, case, *arguments):
        self.popen = subprocess.Popen([sys.executable, "-c", HOLDER, *map(str, arguments)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        case.addCleanup(self.close)

    def wait_line(self, line):
        got = self.popen.stdout.readline().strip()
        assert got == line, f"{line} expected, not {got!r}"

    def proceed(self):
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def close(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()


def files(count):
    """For a child: no more than `count` descriptors."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def greet(peer, way, port):
    """Says by that way where the stream goes, and waits for the answer."""
    if way == "socks":
        peer.sendall(b"\5\1\0" + b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + port.to_bytes(2, "big"))
        if read_exactly(peer, 12)[3] != 0:
            raise ConnectionError("refused")
    elif way == "http":
        peer.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(peer, 1)
        if head.split()[1] != b"200":
            raise ConnectionError("refused")
    elif way == "proxy header":
        peer.sendall(b"PROXY TCP4 192.0.2.1 127.0.0.1 5 6\r\n")


@alone
@not_sanitized
class Channels(Case):
    def test_10000_open_channels_all_answer(self):
        port = free_port()
        Holder(self, "listen", port).wait_line("ready")
        tunnel = self.tunnel(port)
        ask(tunnel.port)
        before = tunnel.client.memory(), tunnel.server.memory()
        holder = Holder(self, "connect", tunnel.port, CHANNELS)
        holder.wait_line("asked")
        after = tunnel.client.memory(), tunnel.server.memory()
        holder.proceed()
        holder.wait_line("asked")
        grown = [(then - now) / MIB for now, then in zip(before, after)]
        print(f"[client +{grown[0]:.1f} MiB, server +{grown[1]:.1f} MiB]", end=" ")
        self.assertLess(max(grown), 60)


@alone
class Stalled(Case):
    def wait_still(self, count):
        """Until every buffer between the targets and the stalled readers is full."""
        seen = [-1, 0.0]

        def still():
            if count() != seen[0]:
                seen[:] = [count(), time.monotonic()]
            return time.monotonic() - seen[1] > 1

        wait_until(still, "the stalled readers stall", timeout=6 * WAIT)

    @not_sanitized
    def test_a_live_transfer_beside_1000_stalled_readers_is_as_fast_as_alone(self):
        poured = [0]

        def pour(peer):
            first = peer.recv(1)
            if first != b"l":  # or the targets alone fill the kernel's memory for all sockets, and nothing moves
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
            piece = b"s" * MIB
            for _ in range(64 if first == b"l" else 1000):
                peer.sendall(piece)
                poured[0] += 1

        tunnel = self.tunnel(self.service(pour).port, plain=True)

        def transfer():
            begin = time.monotonic()
            with connect(tunnel.port, timeout=5 * WAIT) as peer:
                peer.sendall(b"l")
                read_exactly(peer, 64 * MIB)
            return time.monotonic() - begin

        alone = min(transfer() for _ in range(3))
        stalled = [connect(tunnel.port) for _ in range(1000)]
        for peer in stalled:
            peer.sendall(b"s")
        for peer in stalled:
            peer.recv(1)
        self.wait_still(lambda: poured[0])
        times = [transfer() for _ in range(5)]
        while min(times) >= 3 * alone and len(times) < 25:  # nine tenths on a quiet machine; this one may be busy
            times.append(transfer())
        for peer in stalled:
            peer.close()
        print(f"[alone {64 / alone:.0f} MiB/s, beside {64 / min(times):.0f}]", end=" ")
        self.assertLess(min(times), 3 * alone)


class Descriptors(Case):
    def test_a_client_out_of_descriptors_waits_and_goes_on(self):
        tunnel = self.tunnel(self.service().port, client_limits=files(64))
        self.exhaust(tunnel, tunnel.client)

    def test_a_server_out_of_descriptors_refuses_some_and_goes_on(self):
        tunnel = self.tunnel(self.service().port, server_limits=files(64))
        self.exhaust(tunnel, tunnel.server)

    def exhaust(self, tunnel, process):
        with connect(tunnel.port) as first:
            first.sendall(b"x")
            self.assertEqual(read_exactly(first, 1), b"x")
            peers = [peer for _ in range(100) if (peer := self.try_to_connect(tunnel.port)) is not None]
            first.sendall(b"y")
            self.assertEqual(read_exactly(first, 1), b"y")
        for peer in peers:
            peer.close()
        wait_until(lambda: self.answers(tunnel.port), "it answers again")
        self.assertTrue(process.is_running())

    def test_who_takes_all_descriptors_of_a_server_leaves_some_for_other_links(self):
        tunnel = self.tunnel(self.service().port, plain=True, server_limits=files(256))
        peers = [peer for _ in range(300) if (peer := self.try_to_connect(tunnel.port)) is not None]
        tunnel.server.wait_log('reason="out of resources"')
        tunnel.client_settings.update(name="other", forwards=[{**tunnel.client_settings["forwards"][0],
                                                               "listen": f"127.0.0.1:{(port := free_port())}"}])
        other = self.start_tws("other", "client", "--config", tunnel.write_client())
        other.wait_status("2 of 2 links up.*")
        for peer in peers:
            peer.close()
        wait_until(lambda: self.answers(port), "there are channels for the other")

    def test_every_way_in_pauses_without_descriptors_and_goes_on(self):
        target = self.service().port
        path = os.path.join(self.folder, "in.sock")
        ways = {"tcp": {}, "unix": {"listen": f"unix:{path}"}, "proxy header": {"trusted": ["127.0.0.1"]},
                "socks": {"kind": "socks"}, "http": {"kind": "http"}, "reverse": {"reverse": True}}
        for way, record in ways.items():
            with self.subTest(way=way):
                reverse = "reverse" in record
                limits = {"server_limits" if reverse else "client_limits": files(48)}
                tunnel = self.tunnel(target, plain=True, start=False, links=1, **limits)
                tunnel.users[0]["listen"] = [f"127.0.0.1:{tunnel.port}"]
                tunnel.write_keys()
                remote = {} if "kind" in record else {"remote": f"127.0.0.1:{target}"}
                tunnel.client_settings["forwards"] = [{"listen": f"127.0.0.1:{tunnel.port}", **remote, **record}]
                tunnel.start_server()
                tunnel.start_client()
                if reverse:
                    tunnel.client.wait_log("reverse listening")
                self.exhaust_way(way, tunnel.server if reverse else tunnel.client, path if way == "unix" else tunnel.port, target)

    def exhaust_way(self, way, process, where, target):
        def dial():
            if isinstance(where, int):
                return connect(where)
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(WAIT)
            peer.connect(where)
            return peer

        def talks(peer):
            peer.sendall(b"x")
            return read_exactly(peer, 1) == b"x"

        def works():
            with dial() as peer:
                peer.settimeout(1)
                try:
                    greet(peer, way, target)
                    return talks(peer)
                except (OSError, AssertionError):
                    return False

        with dial() as first:
            greet(first, way, target)
            self.assertTrue(talks(first))
            peers = [dial() for _ in range(64)]
            process.wait_log("accepting pauses listen=.* reason=\"Too many open files\"")
            self.assertTrue(talks(first))
            for peer in peers:
                peer.close()
        wait_until(works, f"{way} works again")
        self.assertEqual(process.log.count("accepting pauses"), 1)

    @staticmethod
    def try_to_connect(port):
        """A connection that is refused at the other end may be reset before it is seen open."""
        try:
            return connect(port)
        except ConnectionResetError:
            return None

    def answers(self, port):
        try:
            return ask(port)
        except (OSError, AssertionError):
            return False


@alone
class Storm(Case):
    def test_300_clients_that_all_reconnect_at_once_are_all_served(self):
        count = 60 if tws_e2e.SANITIZED else 300
        tunnel = self.tunnel(self.service().port, plain=True, start=False, links=1,
                             client={"retry_timeout": "1s"})
        tunnel.start_server()
        ports, clients = [], []
        for i in range(count):
            ports.append(free_port())
            settings = dict(tunnel.client_settings, name=f"storm-{i}")
            settings["forwards"] = [dict(settings["forwards"][0], listen=f"127.0.0.1:{ports[-1]}")]
            path = self.write(f"storm-{i}.yaml", yaml(settings) + "\n")
            clients.append(self.start_tws("client", "client", "--config", path))
        for client in clients:
            client.wait_log(r"link up", timeout=5 * WAIT)
        marks = [len(client.log) for client in clients]
        tunnel.server.stop()
        tunnel.start_server()
        for client, mark in zip(clients, marks):
            client.wait_log(r"link up", timeout=5 * WAIT, after=mark)
        for port in ports:
            self.assertTrue(ask(port))
