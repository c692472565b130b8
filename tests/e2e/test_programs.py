"""Programs people use, against their own servers, through nginx wss."""
import glob
import getpass
import json
import os
import re
import shutil
import signal

import tws_e2e
from tws_e2e import MIB, Case, free_port, is_listening, needs, wait_until

PAGE = b"x" * 612


def serve_page(peer):
    """HTTP/1.1 with keep-alive; /big is 32 MiB."""
    request = b""
    while data := peer.recv(65536):
        request += data
        while b"\r\n\r\n" in request:
            head, _, request = request.partition(b"\r\n\r\n")
            body = b"y" * (32 * MIB) if head.startswith(b"GET /big ") else PAGE
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class Programs(Case):
    @needs("curl")
    def test_curl_fetches_pages_and_reuses_its_connection(self):
        web = self.service(serve_page)
        tunnel = self.tunnel(web.port)
        url = f"http://127.0.0.1:{tunnel.port}"
        out = os.path.join(self.folder, "out")

        self.run_program("curl", "-sSf", f"{url}/[1-50]", "-o", out)
        self.assertEqual(os.path.getsize(out), len(PAGE))
        self.assertEqual(web.accepted, 1)
        self.run_program("curl", "-sSf", f"{url}/big", "-o", out)
        self.assertEqual(os.path.getsize(out), 32 * MIB)

    @needs("iperf3")
    def test_iperf3_runs_up_down_and_both_ways_with_8_streams(self):
        port = free_port()
        server = self.start("iperf3", ["iperf3", "-s", "--forceflush", "-B", "127.0.0.1", "-p", str(port)])
        server.expected = (0, 1, -signal.SIGTERM)
        wait_until(lambda: is_listening(port), "iperf3 listens")
        tunnel = self.tunnel(port)

        for number, more in enumerate(([], ["-R"], ["--bidir", "-P", "4"], ["-P", "8", "-n", "128M"]), 1):
            with self.subTest(options=more):
                server.wait_log(rf"listening on {port} \(test #{number}\)")
                report = json.loads(self.run_program("iperf3", "-J", "-c", "127.0.0.1", "-p", str(tunnel.port),
                                                     "-n", "64M", "-w", "256K", *more))
                self.assertNotIn("error", report)
                # iperf3 counts what arrived when the faster way's sender was through: some is still on its way,
                # and the slower way may be far behind.
                received = [total["bytes"] for name, total in report["end"].items() if name.startswith("sum_received")]
                self.assertEqual(len(received), 2 if "--bidir" in more else 1)
                self.assertGreaterEqual(sum(received), 16 * MIB)
                self.assertGreater(min(received), 0)

    @needs("ssh", "sshd", "ssh-keygen")
    def test_ssh_runs_commands_and_copies_a_file(self):
        port, options = self.start_sshd()
        tunnel = self.tunnel(port)
        there = f"{getpass.getuser()}@127.0.0.1"

        out = self.run_program("ssh", *options, "-p", str(tunnel.port), there, "echo $((6*7)); seq 100000 | tail -1")
        self.assertEqual(out.split(), ["42", "100000"])
        with open(f"{self.folder}/file", "wb") as file:
            file.write(os.urandom(20 * MIB))
        self.run_program("scp", *options, "-P", str(tunnel.port), f"{self.folder}/file", f"{there}:{self.folder}/copy")
        self.run_program("cmp", f"{self.folder}/file", f"{self.folder}/copy")

    @needs("redis-server", "redis-cli", "redis-benchmark")
    def test_redis_answers_its_own_client_and_benchmark(self):
        port = free_port()
        self.start("redis", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder])
        wait_until(lambda: is_listening(port), "redis listens")
        tunnel = self.tunnel(port)
        cli = ["redis-cli", "-h", "127.0.0.1", "-p", str(tunnel.port)]

        self.assertEqual(self.run_program(*cli, "set", "key", "value" * 1000).strip(), "OK")
        self.assertEqual(self.run_program(*cli, "get", "key").strip(), "value" * 1000)
        self.run_program("redis-benchmark", "-h", "127.0.0.1", "-p", str(tunnel.port), "-q", "-n", "5000", "-c", "50",
                         "-t", "set,get", "-P", "4")

    @needs("psql", "pgbench")
    def test_postgresql_answers_psql_and_pgbench(self):
        port = self.start_postgresql()
        tunnel = self.tunnel(port)
        there = ["-h", "127.0.0.1", "-p", str(tunnel.port), "-U", "tester"]

        out = self.run_program("psql", *there, "-Atc", "select sum(n) from generate_series(1, 100000) n", "postgres")
        self.assertEqual(out.strip(), "5000050000")
        self.run_program("pgbench", *there, "-q", "-i", "-s", "1", "postgres")
        out = self.run_program("pgbench", *there, "-n", "-c", "8", "-t", "50", "postgres")
        self.assertRegex(out, r"transactions actually processed: 400/400")

    def start_postgresql(self):
        """A cluster of its own; PostgreSQL refuses to be root, so root lends it the user postgres."""
        binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        data, port = os.path.join(self.folder, "pg"), free_port()
        os.mkdir(data)
        user = []
        if os.getuid() == 0:
            shutil.chown(data, "postgres", "postgres")
            user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.run_program(*user, f"{binaries}/initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync", cwd="/")
        server = self.start("postgres", [*user, f"{binaries}/postgres", "-D", data, "-p", str(port), "-F",
                                         "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"],
                            cwd="/")
        server.wait_log(r"ready to accept connections")
        return port


class NginxConfiguration(Case):
    @needs("nginx")
    def test_the_example_is_accepted_by_nginx_without_a_warning(self):
        nginx = self.start_nginx(tws_e2e.free_port())
        tested = nginx.test()
        self.assertEqual(tested.returncode, 0, tested.stderr)
        self.assertFalse(re.search(r"\[(warn|emerg|error)\]", tested.stderr), tested.stderr)
