#!/usr/bin/env python3
"""ping.py - a 64-byte ping over TCP. `ping.py echo PORT` answers; `ping.py ping PORT COUNT` asks,
one at a time, and prints the median and the 99th percentile of the round trip."""
import socket
import sys
import time


def echo(port):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with peer:
            while data := peer.recv(4096):
                peer.sendall(data)


def round_trip(peer, message):
    begin = time.monotonic()
    peer.sendall(message)
    answer = b""
    while len(answer) < len(message):
        piece = peer.recv(len(message) - len(answer))
        if not piece:
            sys.exit("ping: the connection ended")
        answer += piece
    if answer != message:
        sys.exit("ping: the answer is not what was sent")
    return time.monotonic() - begin


def ping(port, count):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        times = sorted(round_trip(peer, b"%064d" % i) for i in range(count))
    print(f"{count} pings: median {times[count // 2] * 1000:.2f} ms, 99% within {times[count * 99 // 100] * 1000:.2f} ms")


if sys.argv[1] == "echo":
    echo(int(sys.argv[2]))
else:
    ping(int(sys.argv[2]), int(sys.argv[3]))
