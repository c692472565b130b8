#!/usr/bin/env python3
"""seeds.py - writes the seed corpora of the small parsers: one small file for each
form that is valid, and for each rule one that breaks it. Run it in tests/fuzz."""
import os
import struct


def save(name, seeds):
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", name)
    os.makedirs(folder, exist_ok=True)
    for label, data in seeds.items():
        with open(os.path.join(folder, label), "wb") as f:
            f.write(data)


def frame(kind, flags=0, channel=1, offset=0, payload=b"", length=None):
    n = len(payload) if length is None else length
    return struct.pack(">BBHIQ", kind, flags, n, channel, offset) + payload


def param(kind, value, flags=0, length=None):
    return struct.pack(">BBH", kind, flags, len(value) if length is None else length) + value


V4 = bytes([1, 127, 0, 0, 1, 0, 80])
V6 = bytes([4] + [0] * 15 + [1, 1, 187])
NAME = b"\x03\x0bexample.com\x01\xbb"
UNIX = b"\x05\x07/run/pg\x00\x00"

save("addr", {
    "ipv4": b"192.0.2.1", "ipv4_leading_zero": b"192.0.02.1", "ipv6": b"2001:db8::1",
    "ipv6_full": b"1:2:3:4:5:6:7:8", "ipv6_two_runs": b"1:0:0:2:3:0:0:4", "ipv6_any": b"::",
    "ipv6_mapped": b"::ffff:10.1.2.3", "ipv6_two_gaps": b"1::2::3", "ipv6_zone": b"fe80::1%eth0",
    "prefix4": b"10.0.0.0/8", "prefix6": b"2001:db8::/33", "prefix_all": b"::/0",
    "prefix_mapped": b"::ffff:10.0.0.0/104", "prefix_host_bits": b"10.0.0.1/8",
    "hostport": b"example.com:443", "hostport6": b"[::1]:80", "hostport_any": b"*:5201",
    "hostport_port": b"h:65536", "number": b"65535", "number_big": b"18446744073709551616",
    "duration": b"500ms", "duration_minutes": b"2m", "size": b"64MiB", "size_short": b"1k",
    "base64url": b"Zm9vYg", "base64url_stray": b"Zm9", "word": b"lsiten", "empty": b"",
})

save("remote", {
    "port": b"3000", "target": b"example.com:3000", "forward": b"3000:example.com:80",
    "whole": b"192.168.0.5:3000:example.com:80", "ports": b"3000:80", "ipv6": b"[::1]:80:[::]:80",
    "any": b"*:3000:h:80", "range": b"8000-8010:h:9000-9010", "range_uneven": b"8000-8010:h:80",
    "udp": b"5353:1.1.1.1:53/udp", "udp_fd": b"fd:dns:1.1.1.1:53/udp", "tcp": b"53/tcp", "socks": b"socks", "socks_port": b"5000:socks",
    "http": b"h:3128:http", "proxy": b"unix:/run/p:proxy", "reverse": b"R:2222:localhost:22",
    "reverse_socks": b"R:socks", "reverse_any": b"R:*:0:[::1]:22", "stdio": b"stdio:%h:22",
    "stdio_ipv6": b"stdio:fe80::1:22", "stdio_unix": b"stdio:unix:/a:b", "unix": b"unix:/a:unix:@b",
    "fd": b"fd:web:h:80", "two_meanings": b"h:80:80", "hole": b"3000::80", "bracket": b"[::1:80",
    "long_range": b"1-2000:h:1-2000", "spot_unix": b"unix:/run/x", "spot_fd": b"fd:name",
})

save("frame", {
    "padding": frame(0, channel=0, payload=bytes(8)),
    "data_fin": frame(1, flags=1, offset=5, payload=b"hello"),
    "open": frame(2, offset=262144, payload=b"\x01" + V4),
    "opened": frame(3, offset=262144, payload=V6),
    "reset": frame(4, offset=10, payload=b"\x00\x0dreset"),
    "ack": frame(8, channel=3, offset=7, payload=bytes(4)),
    "ping": frame(10, flags=1, channel=0, offset=99),
    "link": frame(12, payload=b"\x01\x00\x00\x01"),
    "goaway": frame(13, channel=0, payload=b"\x00\x10\x00\x00\x75\x30"),
    "several": frame(12, payload=b"\x01\x00\x00\x01") + frame(2, payload=b"\x01" + NAME)
    + frame(1, payload=b"GET / HTTP/1.1\r\n\r\n") + frame(6, offset=1 << 20),
    "unknown_skip": frame(0x7f, flags=0x80, payload=b"?"),
    "cut_header": frame(1)[:15], "cut_payload": frame(1, payload=b"abc", length=4),
    "longest": frame(1, length=65535) + b"x", "offset_max": frame(1, offset=(1 << 64) - 1),
})

save("target", {
    "tcp4": b"\x01" + V4, "tcp6": b"\x01" + V6, "tcp_name": b"\x01" + NAME, "udp": b"\x02" + V4,
    "unix": b"\x03" + UNIX, "tun": b"\x04" + V4,
    "source": b"\x01" + NAME + param(1, V4), "original": b"\x01" + V4 + param(2, V6),
    "both": b"\x01" + NAME + param(1, V4) + param(2, UNIX),
    "unknown_skipped": b"\x01" + V4 + param(99, b"x"),
    "unknown_critical": b"\x01" + V4 + param(99, b"x", 0x80),
    "twice": b"\x01" + V4 + param(1, V4) + param(1, V4),
    "source_goes_on": b"\x01" + V4 + param(1, V4 + b"\0"),
    "cut": b"\x01" + V4 + param(1, V4)[:-1], "kind_0": b"\x00" + V4,
    "listen": b"\x05" + V4 + param(3, b"\1"), "listen_socks": b"\x05" + V4 + param(3, b"\1") + param(5, b"\1"), "listen_unix": b"\x05" + UNIX + param(3, b"\3"),
    "accepted": b"\x01" + V4 + param(1, V6) + param(4, b"\0\0\0\1"),
    "accepts_listen": b"\x05" + V4 + param(3, b"\5"), "accepted_by_0": b"\x01" + V4 + param(4, bytes(4)),
    "bare4": V4, "bare6": V6, "bare_name": NAME, "bare_unix": UNIX, "unix_port": b"\x05\x01/\x00\x01",
    "name_empty": b"\x03\x00\x00\x50", "name_nul": b"\x03\x03a\x00b\x00\x50",
    "name_longest": b"\x03\xff" + b"n" * 255 + b"\x00\x50",
})

FULL = (param(1, b"laptop") + param(2, struct.pack(">I", 65535), 0x80)
        + param(3, struct.pack(">I", 1000)) + param(4, struct.pack(">I", 5000))
        + param(5, struct.pack(">I", 16384)) + param(7, struct.pack(">I", 7)) + param(8, b"lte")
        + param(9, b"\1\2") + param(10, b"\2", 0x80))
CHALLENGE = b"TWS2\1\2\2\3" + bytes(40)


def hello(mode, params=b"", tail=32):
    return (b"TWS2\2\2\1" + bytes([mode]) + b"01234567" + bytes(16 + 64)
            + struct.pack(">H", len(params)) + params + bytes(tail))


def welcome(status, params=b"", flags=0):
    return (b"TWS2\3" + bytes([status, 1, flags]) + b"0123456789abcdef\0\0\0\1" + bytes(32)
            + struct.pack(">H", len(params)) + params + bytes(32))


handshake = {
    "params": FULL, "params_cut": FULL[:-1], "params_twice": FULL + FULL,
    "params_critical": param(99, b"", 0x80), "params_range": param(2, b"\xff\xff\xff\xff", 0x80),
    "challenge": CHALLENGE, "challenge_future": CHALLENGE[:5] + b"\3\4\xff" + CHALLENGE[8:],
    "challenge_short": CHALLENGE[:-1], "hello_new": hello(0), "hello_params": hello(0, FULL),
    "hello_join": hello(1, FULL, 64), "hello_join_short": hello(1), "hello_mode": hello(2),
    "hello_long": hello(0, bytes(900)), "welcome": welcome(0), "welcome_params": welcome(0, FULL),
    "welcome_sealed": welcome(0, b"", 1), "refusal": welcome(17),
}
handshake = {k: b"\0" + v for k, v in handshake.items()}
for mode, name in ((1, "new"), (3, "join")):
    for at in (0, 5, 7, 16, 64, 97, 110, 140):
        handshake["flip_%s_%d" % (name, at)] = bytes([mode]) + bytes(at) + b"\1"
    handshake["honest_" + name] = bytes([mode])
save("handshake", handshake)


def ipv4(protocol, body, options=b"", fragment=0):
    header = 20 + len(options)
    return struct.pack(">BBHHHBBH4s4s", 0x40 | header // 4, 0, header + len(body), 1, fragment, 64, protocol, 0,
                       bytes([10, 9, 0, 2]), bytes([192, 0, 2, 7])) + options + body


def ipv6(protocol, body):
    return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + bytes([0xfd] + [0] * 14 + [2]) \
        + bytes([0x20] + [0] * 14 + [7]) + body


def tcp(flags, options=b""):
    return struct.pack(">HHIIBBHHH", 40000, 443, 1, 0, (20 + len(options)) // 4 << 4, flags, 65535, 0x1234, 0) + options


UDP = struct.pack(">HHHH", 4000, 53, 12, 0) + b"ping"
MSS = b"\x02\x04\x23\x28"

save("ip_packet", {
    "udp4": ipv4(17, UDP), "udp6": ipv6(17, UDP), "syn4": ipv4(6, tcp(2, MSS)), "syn6": ipv6(6, tcp(2, MSS)),
    "syn_odd": ipv4(6, tcp(0x12, b"\x01" + MSS + b"\x01\x01\x01")), "ack": ipv4(6, tcp(0x10)),
    "syn_small": ipv4(6, tcp(2, b"\x02\x04\x02\x18")), "echo": ipv4(1, b"\x08" + bytes(15)),
    "error4": ipv4(1, b"\x03\x04" + bytes(6) + ipv4(17, UDP)), "error6": ipv6(58, b"\x02" + bytes(7) + ipv6(17, UDP)),
    "fragment_first": ipv4(17, UDP, fragment=0x2000), "fragment_later": ipv4(17, UDP, fragment=0x2007),
    "options": ipv4(17, UDP, b"\x07\x03\x04\x00"), "source_route": ipv4(17, UDP, b"\x83\x03\x04\x00"),
    "extensions": ipv6(0, b"\x3c" + bytes(7) + b"\x2c" + bytes(7) + b"\x11" + bytes(7) + UDP),
    "routing": ipv6(43, b"\x11\x00\x00\x01" + bytes(4) + UDP), "fragment6": ipv6(44, b"\x11\x00\x00\x09" + bytes(4) + UDP),
    "cut": ipv4(17, UDP)[:-1], "other": ipv4(47, b"gre"), "empty": b"",
})

def from_device(packet, kind=0, segment=0, flags=0, start=0, offset=0):
    """As the kernel gives it; seeds are of little-endian machines."""
    return struct.pack("<BBHHHH", flags, kind, 0, segment, start, offset) + packet


STAMPS = b"\x01\x01\x08\x0a" + bytes(8)
BULK4, BULK6 = ipv4(6, tcp(0x19, STAMPS) + bytes(range(200))), ipv6(6, tcp(0x90, STAMPS) + bytes(range(200)))
save("ip_cut", {
    "plain": from_device(ipv4(17, UDP)), "sum": from_device(ipv4(17, UDP), 0, 0, 1, 20, 6), "sum_outside": from_device(ipv4(17, UDP), 0, 0, 1, 20, 99),
    "super4": from_device(BULK4, 1, 60, 1, 20, 16), "super6": from_device(BULK6, 4, 50, 1, 40, 16), "ecn": from_device(BULK6, 0x84, 60, 1, 40, 16),
    "one": from_device(BULK4, 1, 1, 1, 20, 16), "alone": from_device(BULK4, 1, 1000), "nothing": from_device(BULK4, 1, 0, 1),
    "no_data": from_device(ipv4(6, tcp(0x10)), 1, 100), "other_family": from_device(BULK4, 4, 60), "udp": from_device(ipv4(17, UDP), 5, 2, 1, 20, 6),
    "fragment": from_device(ipv4(6, tcp(0x10) + bytes(99), fragment=0x2000), 1, 10), "cut": from_device(BULK4[:-1], 1, 60),
    "extension": from_device(ipv6(60, b"\x06" + bytes(7) + tcp(0x10) + bytes(99)), 4, 10), "options": from_device(ipv4(6, tcp(0x10) + bytes(99), b"\1\1\1\0"), 1, 10),
    "header": from_device(b""), "empty": b"",
})

TUN4, TUN6 = param(1, bytes([10, 9, 0, 2, 24])), param(2, bytes([0xfd, 9] + [0] * 13 + [2, 64]))
TUN_MTU = param(3, b"\x05\xdc")

save("tun_terms", {
    "both": TUN4 + TUN6 + TUN_MTU, "ipv4": TUN4, "ipv6": TUN_MTU + TUN6, "no_address": TUN_MTU, "twice": TUN4 + TUN4,
    "unknown": TUN4 + param(99, b"later"), "unknown_critical": TUN4 + param(99, b"", flags=0x80), "cut": TUN4[:-1],
    "loopback": param(1, bytes([127, 0, 0, 1, 8])), "mtu_small": TUN4 + param(3, b"\x01\x00"), "empty": b"",
})

GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"

save("socks_client", {
    "granted": b"\x00\x05\x00" + GRANTED + b"tunnel", "login": b"\x01\x05\x02\x01\x00" + GRANTED,
    "login_refused": b"\x01\x05\x02\x01\x01", "no_method": b"\x00\x05\xff", "http": b"\x00HTTP/1.1 400 Bad",
    "granted6": b"\x00\x05\x00\x05\x00\x00\x04" + bytes(15) + b"\x01\x00\x50",
    "granted_name": b"\x00\x05\x00\x05\x00\x00\x03\x01a\x00\x50", "empty_name": b"\x00\x05\x00\x05\x00\x00\x03\x00\x00\x50",
    "refused": b"\x00\x05\x00\x05\x05\x00\x01" + bytes(6), "short_refusal": b"\x00\x05\x00\x05\x01\x00\x01",
    "unknown_address": b"\x00\x05\x00\x05\x00\x00\x09",
})

save("proxy_url", {
    "http": b"http://proxy:3128", "login": b"http://user:p%40ss@proxy:3128/", "socks5": b"socks5://[::1]",
    "socks5h": b"socks5h://u@proxy:9050", "bare": b"proxy:3128", "scheme": b"ftp://x", "path": b"http://p:1/x",
    "percent": b"http://u%4@p:1", "at": b"http://a@b@c:1", "empty": b"",
})

save("socks", {
    "methods": b"\5\1\0", "methods_password": b"\5\2\0\2", "methods_none": b"\5\0",
    "login": b"\1\5alice\6secret", "login_empty": b"\1\0\0",
    "connect4": b"\5\1\0" + V4, "connect6": b"\5\1\0" + V6, "connect_name": b"\5\1\0" + NAME,
    "connect_literal": b"\5\1\0\3\x09127.0.0.1\0\x50", "unix": b"\5\1\0" + UNIX,
    "associate": b"\5\3\0\1" + bytes(6), "bind": b"\5\2\0" + V4,
    "socks4": b"\4\1\0\x50\x7f\0\0\1me\0", "socks4a": b"\4\1\0\x50\0\0\0\1\0localhost\0",
    "socks4a_empty": b"\4\1\0\x50\0\0\0\1\0\0", "socks4_long": b"\4\1\0\x50\x7f\0\0\1" + b"u" * 300,
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "datagram": bytes(3) + V4 + b"query", "datagram_name": bytes(3) + NAME + b"query",
    "datagram_part": b"\0\0\1" + V4 + b"query",
})

HTTP_END = b"\r\n\r\n"
save("http_proxy", {
    "connect": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443" + HTTP_END + b"\x16\x03\x01",
    "connect6": b"CONNECT [::1]:22 HTTP/1.0" + HTTP_END,
    "connect_body": b"CONNECT h:1 HTTP/1.1\r\nContent-Length: 5" + HTTP_END + b"hello",
    "get": b"GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*" + HTTP_END,
    "get_query": b"GET http://h:8080?q HTTP/1.0" + HTTP_END, "options": b"OPTIONS http://h HTTP/1.1" + HTTP_END,
    "hops": b"GET http://h/ HTTP/1.1\r\nConnection: x-a, close\r\nX-A: 1\r\nTE: t\r\nUpgrade: h2c" + HTTP_END,
    "login": b"GET http://h/ HTTP/1.1\r\nProxy-Authorization: Basic YTpi" + HTTP_END,
    "length": b"PUT http://h/ HTTP/1.1\r\nContent-Length: 5" + HTTP_END + b"helloGET /evil HTTP/1.1" + HTTP_END,
    "chunks": b"PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: chunked" + HTTP_END
    + b"5;x=y\r\nhello\r\n0\r\nT: v" + HTTP_END + b"GET /evil HTTP/1.1" + HTTP_END,
    "chunks_broken": b"PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: chunked" + HTTP_END + b"5\nhello\n0\n\n",
    "both": b"PUT http://h/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked" + HTTP_END,
    "names_length": b"PUT http://h/ HTTP/1.1\r\nConnection: content-length\r\nContent-Length: 5" + HTTP_END,
    "folded": b"GET http://h/ HTTP/1.1\r\nA: b\r\n c" + HTTP_END, "bare_lf": b"GET http://h/ HTTP/1.1\nA: b\n\n",
    "userinfo": b"GET http://u:p@h/ HTTP/1.1" + HTTP_END, "origin": b"GET / HTTP/1.1\r\nHost: h" + HTTP_END,
    "tls": b"\x16\x03\x01\x02\0\1\0",
})

V2 = b"\r\n\r\n\0\r\nQUIT\n"
ENDS4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + struct.pack(">HH", 1234, 80)
ENDS6 = bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack(">HH", 1234, 80)
save("proxy_header", {
    "v1_4": b"PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\nGET", "v1_6": b"PROXY TCP6 ::1 2001:db8::1 1 2\r\n",
    "v1_mapped": b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 1 2\r\n", "v1_unknown": b"PROXY UNKNOWN x y\r\n",
    "v1_bare": b"PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\n", "v1_long": b"PROXY UNKNOWN " + b"x" * 100,
    "v2_4": V2 + b"\x21\x11\0\x0c" + ENDS4, "v2_6": V2 + b"\x21\x21\0\x24" + ENDS6,
    "v2_tlv": V2 + b"\x21\x11\0\x13" + ENDS4 + b"\4\0\4abcd", "v2_local": V2 + b"\x20\0\0\0",
    "v2_unix": V2 + b"\x21\x31\0\4abcd", "v2_short": V2 + b"\x21\x21\0\x0c" + ENDS4,
    "v2_long": V2 + b"\x21\x11\xff\xff" + ENDS4, "v2_family": V2 + b"\x21\x41\0\0", "http": b"GET / HTTP/1.1\r\n\r\n",
})

REQUEST = b"GET /tws?a=1 HTTP/1.1\r\n"
FIELDS = b"Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
OURS = FIELDS + b"Sec-WebSocket-Protocol: chat, tws.2\r\nTws-Session: AAAAAAAAAAAAAAAAAAAA-_\r\n"

save("http_head", {
    "ours": REQUEST + OURS + b"\r\n", "ours_and_more": REQUEST + OURS + b"\r\n\x82\x80",
    "ours_10": b"GET / HTTP/1.0\r\n" + OURS + b"\r\n", "post": b"POST / HTTP/1.1\r\n" + OURS + b"\r\n",
    "no_session": REQUEST + FIELDS + b"Sec-WebSocket-Protocol: tws.2\r\n\r\n",
    "short_session": REQUEST + FIELDS + b"Tws-Session: AAAA\r\n\r\n",
    "strange_session": REQUEST + FIELDS + b"Tws-Session: AAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "forwarded": REQUEST + b"X-Forwarded-For: 9.9.9.9, 203.0.113.7\r\n\r\n",
    "forwarded_hole": REQUEST + b"X-Forwarded-For: 9.9.9.9, ,\r\nx-forwarded-for:\t::1 \r\n\r\n",
    "bare_lf": b"GET / HTTP/1.1\nHost: x\n\n", "folded": REQUEST + b"A: b\r\n c\r\n\r\n",
    "no_colon": REQUEST + b"Host\r\n\r\n", "no_name": REQUEST + b": x\r\n\r\n",
    "no_target": b"GET  HTTP/1.1\r\n\r\n", "no_version": b"GET /\r\n\r\n", "http2": b"PRI * HTTP/2.0\r\n\r\nSM",
    "control": b"GET /\x01 HTTP/1.1\r\n\r\n", "empty_line": b"\r\n", "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "tls": b"\x16\x03\x01\x02\n\n", "cut": REQUEST + b"Host: x\r", "absolute": b"GET http://x/? HTTP/1.1\r\n\r\n",
    "too_long": REQUEST + b"X: " + b"a" * 8192 + b"\r\n\r\n",
})
