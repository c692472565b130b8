"""peer.py - a second implementation of docs/protocol.md, as small as it gets, for what our own programs never do:
either side of one plain link, whose frames are the test's to choose.

    link = Client(port, key)            one session with a server; key: as in a key file
    link = Server(port).accept(key)     one session with a client that dials this port
    link.send((OPEN, 1, 0, opening(TCP, name("host", 80))))
    link.wait(RESET)                    the payload of the next such frame; others are kept in link.frames

Nothing is acknowledged or granted unless the test does. No sealing, no joins."""
import base64
import contextlib
import hashlib
import hmac
import os
import socket
import struct

import tws_e2e

PADDING, DATA, OPEN, OPENED, RESET, STOP, WINDOW, CHANNELS = range(8)
ACK, DEAD, PING, PONG, LINK, GOAWAY, CLOSE, DATAGRAM = range(8, 16)
TCP, UDP, UNIX, TUN, LISTEN = range(1, 6)
MAGIC, PRIME = b"TWS2", 2**255 - 19


# ---- X25519, RFC 7748 ----

def x25519(scalar, point):
    k = int.from_bytes(scalar, "little") & ((1 << 254) - 8) | 1 << 254
    x1 = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for bit in range(254, -1, -1):
        swap ^= k >> bit & 1
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = k >> bit & 1
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % PRIME, c * b % PRIME, a * a % PRIME, b * b % PRIME
        x3, z3 = (da + cb) ** 2 % PRIME, x1 * (da - cb) ** 2 % PRIME
        x2, z2 = aa * bb % PRIME, (aa - bb) * (aa + 121665 * (aa - bb)) % PRIME
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


BASE = (9).to_bytes(32, "little")


# ---- keys ----

def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def digest(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


def expand(key, info):
    return mac(key, info + b"\x01")


def read_key(text):
    """(key id, psk key) of a key file's line or of a keys file's `key`."""
    ident, psk = text.strip().removeprefix("tws2-key-").split("-", 1)
    ident = bytes.fromhex(ident)
    return ident, mac(b"tws/2 psk", base64.urlsafe_b64decode(psk + "=") + ident)


def master_key(psk_key, dh):
    return mac(expand(psk_key, b"tws/2 derived"), dh)


# ---- what frames carry ----

def parameter(kind, value, flags=0):
    return struct.pack("!BBH", kind, flags, len(value)) + value


def name(host, port, kind=3):
    raw = host if isinstance(host, bytes) else host.encode()
    return bytes([kind, len(raw)]) + raw + struct.pack("!H", port)


def address(host, port):
    v6 = ":" in host
    return bytes([4 if v6 else 1]) + socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, host) + struct.pack("!H", port)


def opening(kind, target, *parameters):
    return bytes([kind]) + target + b"".join(parameters)


def frame(kind, channel=0, offset=0, payload=b"", flags=0):
    return struct.pack("!BBHIQ", kind, flags, len(payload), channel, offset) + payload


class Gone(Exception):
    """The other side closed the link."""


class Link:
    """A WebSocket connection of binary messages; masked: this is the client."""

    def __init__(self, peer, masked):
        self.peer, self.masked = peer, masked
        self.rest, self.frames, self.received = b"", [], 0
        self.close_code = None

    # ---- WebSocket ----

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        return head.decode("latin-1")

    def _more(self):
        try:
            piece = self.peer.recv(1 << 16)
        except ConnectionError:
            piece = b""
        if not piece:
            raise Gone(self.close_code)
        self.rest += piece

    def _take(self, count):
        while len(self.rest) < count:
            self._more()
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def write(self, payload, opcode=2, head=None):
        """One WebSocket message."""
        n = len(payload)
        size = bytes([n]) if n < 126 else b"\x7e" + struct.pack("!H", n) if n < 65536 else b"\x7f" + struct.pack("!Q", n)
        if self.masked:  # by zeros
            size = bytes([size[0] | 0x80]) + size[1:] + bytes(4)
        self.peer.sendall(bytes([head or 0x80 | opcode]) + size + payload)

    def read(self):
        """The next binary message; pings are answered, a close is remembered."""
        while True:
            opcode, size = self._take(2)
            n = size & 127
            n = struct.unpack("!H", self._take(2))[0] if n == 126 else struct.unpack("!Q", self._take(8))[0] if n == 127 else n
            key = self._take(4) if size & 128 else bytes(4)
            data = self._take(n)
            if any(key):
                data = (int.from_bytes(data, "big") ^ int.from_bytes((key * (n // 4 + 1))[:n], "big")).to_bytes(n, "big")
            if opcode & 15 == 2:
                return data
            if opcode & 15 == 8:
                self.close_code = struct.unpack("!H", data[:2])[0] if n > 1 else None
                raise Gone(self.close_code)
            if opcode & 15 == 9:
                self.write(data, 10)

    # ---- frames ----

    def send(self, *frames):
        """Each a tuple of frame()'s arguments; all in one message."""
        self.write(b"".join(frame(*fields) for fields in frames))

    def receive(self):
        """Takes one message apart into self.frames."""
        data, at = self.read(), 0
        self.received += 1
        while at < len(data):
            kind, flags, n, channel, offset = struct.unpack_from("!BBHIQ", data, at)
            self.frames.append((kind, channel, offset, data[at + 16:at + 16 + n], flags))
            at += 16 + n

    def wait(self, *kinds, channel=None):
        """The next frame of one of the kinds; those before it are dropped."""
        while True:
            while self.frames:
                found = self.frames.pop(0)
                if found[0] in kinds and (channel is None or found[1] == channel):
                    return found
            self.receive()

    def acknowledge(self):
        """All that was received: without it the other side gives the link up after some seconds."""
        self.send((ACK, self.link, self.received, bytes(4)))

    def close(self):
        """The session is over at once, if it is still there."""
        with contextlib.suppress(OSError):
            self.send((CLOSE, 0, 0, struct.pack("!H", 16)))
        self.peer.close()


class Client(Link):
    """Upgraded, welcomed, LINK sent."""

    def __init__(self, port, key, *, parameters=b"", host="127.0.0.1"):
        super().__init__(tws_e2e.connect(port, host), True)
        self.peer.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                          f"Sec-WebSocket-Protocol: tws.2\r\nTws-Session: {'A' * 22}\r\n\r\n".encode())
        assert "101" in self.read_head().split("\r\n")[0]
        self._shake_hands(read_key(key), parameters)

    def _shake_hands(self, key, parameters):
        ident, psk_key = key
        challenge, secret = self.read(), os.urandom(32)
        hello = (MAGIC + bytes([2, 2, 1, 0]) + ident + bytes(16) + os.urandom(32) + x25519(secret, BASE) +
                 struct.pack("!H", len(parameters)) + parameters)
        hello += mac(expand(psk_key, b"tws/2 hello"), digest(challenge, hello))
        self.write(hello)
        welcome = self.read()
        assert welcome[5] == 0, f"refused: {welcome[5]}"
        master = master_key(psk_key, x25519(secret, welcome[28:60]))
        assert welcome[-32:] == mac(expand(master, b"tws/2 welcome"), digest(challenge, hello, welcome[:-32]))
        self.session, self.link = welcome[8:24], struct.unpack("!I", welcome[24:28])[0]
        self.send((LINK, self.link, 0, struct.pack("!BBH", 1, 0, 1)))


class Server:
    """A listener; accept() makes a session of the next link."""

    def __init__(self, host="127.0.0.1"):
        self.listener = socket.create_server((host, 0))
        self.listener.settimeout(tws_e2e.WAIT)
        self.port = self.listener.getsockname()[1]

    def accept(self, key, *, parameters=b""):
        peer, _ = self.listener.accept()
        peer.settimeout(tws_e2e.WAIT)
        link = Link(peer, False)
        for line in link.read_head().split("\r\n"):
            if line.lower().startswith("sec-websocket-key:"):
                accept = hashlib.sha1((line.split(":", 1)[1].strip() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Protocol: tws.2\r\nSec-WebSocket-Accept: " + base64.b64encode(accept.digest()) + b"\r\n\r\n")
        self._shake_hands(link, read_key(key)[1], parameters)
        return link

    @staticmethod
    def _shake_hands(link, psk_key, parameters):
        challenge, secret = MAGIC + bytes([1, 2, 2, 3]) + os.urandom(8) + os.urandom(32), os.urandom(32)
        link.write(challenge)
        hello = link.read()
        link.session, link.link = os.urandom(16), 1
        welcome = (MAGIC + bytes([3, 0, hello[6], 0]) + link.session + struct.pack("!I", link.link) +
                   x25519(secret, BASE) + struct.pack("!H", len(parameters)) + parameters)
        master = master_key(psk_key, x25519(secret, hello[64:96]))
        link.write(welcome + mac(expand(master, b"tws/2 welcome"), digest(challenge, hello, welcome)))

    def close(self):
        self.listener.close()
