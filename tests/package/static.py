#!/usr/bin/env python3
"""static.py BINARY - the static binary in a root that holds nothing else but what every machine has:
/etc/hosts, /etc/resolv.conf, the certificate store in the place of one distribution after the other,
and the user's own configuration. Needs root, for chroot and for a name server on port 53; what runs in
there is nobody."""
import os
import random
import shutil
import socket
import stat
import struct
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import tws_e2e  # noqa: E402 pylint: disable=wrong-import-position

NOBODY = 65534
NAME_SERVER = "127.53.53.53"
STORES = (
    ("Debian", "/etc/ssl/certs/ca-certificates.crt"),
    ("Fedora and RHEL", "/etc/pki/tls/certs/ca-bundle.crt"),
    ("RHEL without the old link", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    ("openSUSE", "/etc/ssl/ca-bundle.pem"),
    ("Alpine", "/etc/ssl/cert.pem"),
    ("Arch", "/etc/ca-certificates/extracted/tls-ca-bundle.pem"),
)


class NameServer:
    """Answers each question for an A record with 127.0.0.1, all others with nothing; remembers the names."""

    def __init__(self):
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((NAME_SERVER, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(512)
            except OSError:
                return
            self.socket.sendto(self._answer(question), peer)

    def _answer(self, question):
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1:at + 1 + length].decode())
            at += 1 + length
        (kind,) = struct.unpack_from("!H", question, at + 1)
        self.asked.append(".".join(labels))
        head = struct.pack("!HHHHHH", int.from_bytes(question[:2], "big"), 0x8180, 1, int(kind == 1), 0, 0)
        address = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton("127.0.0.1"))
        return head + question[12:at + 5] + (address if kind == 1 else b"")

    def close(self):
        self.socket.close()


class EmptyRoot(tws_e2e.Case):
    """A server in an empty root, behind nginx with TLS."""

    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.folder, "root")
        os.makedirs(os.path.join(self.root, "etc"))
        os.chmod(self.root, 0o755)
        shutil.copy(tws_e2e.TWS, os.path.join(self.root, "tws"))
        self.put("/etc/hosts", "127.0.0.1 localhost relay.example\n")
        self.put("/etc/resolv.conf", f"nameserver {NAME_SERVER}\n")

    def put(self, path, text, mode=0o644):
        """A file inside, nobody's; parents as needed."""
        outside = self.root + path
        os.makedirs(os.path.dirname(outside), exist_ok=True)
        with open(outside, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(outside, mode)
        os.chown(outside, NOBODY, NOBODY)
        return outside

    def inside(self, *arguments):
        return [shutil.which("chroot"), f"--userspec={NOBODY}:{NOBODY}", self.root, "/tws", *arguments]

    def serve(self, name="localhost"):
        """Server and nginx, whose certificate is for `name`; the client's configuration is written."""
        self.echo = self.service()
        self.server_port, self.port = tws_e2e.free_port(), tws_e2e.free_port()
        key_file, key = self.keygen()
        with open(key_file, encoding="utf-8") as file:
            self.put("/client.key", file.read(), 0o600)
        target = f"relay.example:{self.echo.port}"
        user = {"name": "tester", "key": key, "allow": [target]}
        self.put("/keys.yaml", tws_e2e.yaml({"users": [user]}) + "\n", 0o600)
        self.put("/server.yaml", f"listen: 127.0.0.1:{self.server_port}\nkeys_file: /keys.yaml\n")
        self.start("server", self.inside("server", "--config", "/server.yaml"), env={})
        tws_e2e.wait_until(lambda: tws_e2e.is_listening(self.server_port), "the server listens")
        self.nginx = self.start_nginx(self.server_port, f"DNS:{name}")
        self.put("/client.yaml", tws_e2e.yaml({
            "server": f"wss://{name}:{self.nginx.port}/tws", "key_file": "/client.key", "retry_timeout": 100,
            "forwards": [{"listen": f"127.0.0.1:{self.port}", "remote": target}]}) + "\n")

    def start_client(self, **environment):
        return self.start("client", self.inside("client", "--config", "/client.yaml"), env=environment)

    def certificate(self):
        with open(self.nginx.certificate, encoding="utf-8") as file:
            return file.read()

    def carry(self, size=tws_e2e.MIB):
        """That many bytes there and back, through wss."""
        tws_e2e.wait_until(lambda: tws_e2e.is_listening(self.port), "the client listens")
        data = random.Random(size).randbytes(size)
        with tws_e2e.connect(self.port) as peer:
            sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
            sender.start()
            self.assertEqual(tws_e2e.read_all(peer), data)
            sender.join()

    def assert_refused(self, client, reason):
        client.wait_log(reason)
        self.assertEqual(self.echo.accepted, 0)

    # ---- tests ----

    def test_runs_alone(self):
        for path in ("/etc/hosts", "/etc/resolv.conf"):
            os.remove(self.root + path)
        self.assertRegex(self.run_program(*self.inside("--version")), r"^tws \d")
        self.assertIn("usage", self.run_program(*self.inside("--help")).lower())

    def test_finds_the_store_of_each_distribution(self):
        self.serve()
        for distribution, path in STORES:
            with self.subTest(distribution):
                outside = self.put(path, self.certificate())
                client = self.start_client()
                self.carry()
                client.stop()
                self.assertIsNone(client.verdict())
                os.remove(outside)

    def test_refuses_a_server_without_any_store(self):
        self.serve()
        self.assert_refused(self.start_client(), "no certificate store found")

    def test_refuses_a_server_the_store_does_not_know(self):
        self.serve()
        other, _ = tws_e2e.make_certificate(self.folder, "other")
        with open(other, encoding="utf-8") as file:
            self.put(STORES[0][1], file.read())
        self.assert_refused(self.start_client(), "certificate: self.signed certificate")

    def test_honours_ssl_cert_file(self):
        self.serve()
        self.put("/my/ca.pem", self.certificate())
        self.start_client(SSL_CERT_FILE="/my/ca.pem")
        self.carry()

    def test_honours_ssl_cert_dir(self):
        self.serve()
        name = self.run_program("openssl", "x509", "-hash", "-noout", "-in", self.nginx.certificate).strip()
        self.put(f"/my/certs/{name}.0", self.certificate())
        self.start_client(SSL_CERT_DIR="/my/certs")
        self.carry()

    def test_asks_the_name_server_of_resolv_conf(self):
        names = NameServer()
        self.addCleanup(names.close)
        self.serve("gateway.example")
        self.put(STORES[0][1], self.certificate())
        self.start_client()
        self.carry()
        self.assertIn("gateway.example", names.asked)

    def test_is_closed_to_other_processes_of_its_user(self):
        self.serve()
        process = self.processes[0].popen.pid
        self.assertEqual(os.stat(f"/proc/{process}/environ").st_uid, 0, "dumpable: nobody owns its memory")
        with open(f"/proc/{process}/limits", encoding="ascii") as file:
            self.assertRegex(file.read(), r"Max core file size +0 +0 ")

    def test_is_stripped_and_position_independent(self):
        self.assertTrue(os.stat(tws_e2e.TWS).st_mode & stat.S_IXOTH)
        kind = self.run_program("file", "-b", tws_e2e.TWS)
        self.assertRegex(kind, r"static-pie linked.* stripped")
        self.assertNotIn("not stripped", kind)


def main():
    if os.getuid() != 0 or len(sys.argv) != 2:
        sys.exit("usage, as root: static.py BINARY")
    tws_e2e.configure(sys.argv[1], False)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(EmptyRoot)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    bad = len({str(test) for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(not result.wasSuccessful())


main()
