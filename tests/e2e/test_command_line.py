"""The client without any file: chisel's grammar on the command line, keys from the environment, port ranges;
stdin and stdout as a connection, as ssh's ProxyCommand has it."""
import getpass
import os
import pty
import shutil
import signal
import socket
import subprocess
import threading

import tws_e2e
from tws_e2e import MIB, WAIT, Case, Service, ask, free_port, is_listening, needs, read_all, reset, wait_until, yaml


def hear_and_say_goodbye(peer):
    """Answers only when the other side has ended its own: half close both ways."""
    peer.sendall(b"heard %d" % len(read_all(peer)))


def serve_page(peer):
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage")


class CommandLine(Case):
    def setUp(self):
        super().setUp()
        self.tunnel_server = self.tunnel(plain=True, allow=["127.0.0.1", "::1", "localhost"], start=False)
        self.tunnel_server.start_server()
        self.url = f"ws://127.0.0.1:{self.tunnel_server.server_port}/tws"
        self.env = dict(os.environ, TWS_KEY_FILE=self.tunnel_server.key_file)

    def client(self, *words, **more):
        return self.start_tws("client", "client", self.url, *words, env=self.env, **more).wait_ready()

    def stdio(self, *words, data=b"", env=None, expect=0, url=None):
        """Runs `tws client ... -W` with `data` on stdin: (output, errors)."""
        done = subprocess.run([tws_e2e.TWS, "client", url or self.url, *words], input=data, env=env or self.env,
                              capture_output=True, timeout=WAIT, check=False)
        errors = done.stderr.decode()
        self.assertIsNone(tws_e2e.SANITIZER.search(errors), errors)
        self.assertEqual(done.returncode, expect, errors)
        return done.stdout, errors

    # ---- forwards ----

    def test_forwards_need_no_file_and_the_key_comes_from_the_environment(self):
        one, two, three = self.service(), self.service(), self.service(host="::1")
        ports = [free_port() for _ in range(3)]
        client = self.client(f"{ports[0]}:127.0.0.1:{one.port}", f"127.0.0.1:{ports[1]}:127.0.0.1:{two.port}",
                             f"[::1]:{ports[2]}:[::1]:{three.port}")
        for port, host in ((ports[0], "127.0.0.1"), (ports[1], "127.0.0.1"), (ports[2], "::1")):
            self.assertTrue(ask(port, host=host))
        with open(f"/proc/{client.popen.pid}/cmdline", "rb") as file:
            self.assertNotIn(b"key", file.read())

    @needs("curl")
    def test_one_line_has_every_kind_of_forward(self):
        """tws client URL 3000:host:80 R:2222:localhost:22 1080:socks 5353:1.1.1.1:53/udp stdio:%h:%p"""
        target = self.service()
        page = self.service(serve_page)
        ports = [free_port() for _ in range(4)]
        self.tunnel_server.users[0].update(allow=["127.0.0.1", "udp/127.0.0.1"], listen=[f"127.0.0.1:{ports[1]}"])
        self.tunnel_server.write_keys()
        self.tunnel_server.server.signal(signal.SIGHUP)
        self.tunnel_server.server.wait_log("info reloaded")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answering:
            answering.bind(("127.0.0.1", 0))
            argv = [tws_e2e.TWS, "client", self.url, f"{ports[0]}:127.0.0.1:{target.port}",
                    f"R:{ports[1]}:127.0.0.1:{target.port}", f"{ports[2]}:socks",
                    f"{ports[3]}:127.0.0.1:{answering.getsockname()[1]}/udp", f"stdio:127.0.0.1:{target.port}"]
            with subprocess.Popen(argv, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  bufsize=0) as process:
                process.stdin.write(b"stdio")
                self.assertEqual(process.stdout.read(5), b"stdio")
                self.assertTrue(ask(ports[0]))
                wait_until(lambda: is_listening(ports[1]), "the server listens")
                self.assertTrue(ask(ports[1]))
                out = self.run_program("curl", "-sSf", "--socks5-hostname", f"127.0.0.1:{ports[2]}",
                                       f"http://127.0.0.1:{page.port}/")
                self.assertEqual(out, "page")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                    for peer in (asking, answering):
                        peer.settimeout(WAIT)
                    asking.sendto(b"datagram", ("127.0.0.1", ports[3]))
                    data, source = answering.recvfrom(100)
                    answering.sendto(data.upper(), source)
                    self.assertEqual(asking.recv(100), b"DATAGRAM")
                process.stdin.close()
                self.assertEqual(process.wait(WAIT), 0)
        self.assertFalse(is_listening(ports[0]))

    def test_without_a_host_a_forward_is_on_loopback_only(self):
        target, port = self.service(), free_port()
        self.client(f"{port}:127.0.0.1:{target.port}")
        listed = self.run_program("ss", "-Hltn", f"sport = :{port}")
        self.assertEqual([line.split()[3] for line in listed.splitlines()], [f"127.0.0.1:{port}"])

    def test_a_range_listens_on_each_of_its_ports(self):
        def tell(number):
            return lambda peer: peer.sendall(b"%d" % number)

        first, there = 32100, 32200
        services = [self.service_at(there + i, tell(i)) for i in range(4)]
        self.client(f"{first}-{first + 3}:127.0.0.1:{there}-{there + 3}")
        for i in range(4):
            with tws_e2e.connect(first + i) as peer:
                self.assertEqual(read_all(peer), b"%d" % i)
        self.assertEqual([service.accepted for service in services], [1] * 4)

    def service_at(self, port, handler):
        """A service on a port of our choice; these lie above those that free_port() gives."""
        service = Service(handler, port=port)
        self.addCleanup(service.close)
        return service

    def test_a_busy_port_of_a_range_is_named_and_nothing_is_left_open(self):
        port = 32300
        self.service_at(port + 2, tws_e2e.echo)
        code, _, errors = self.run_tws("client", self.url, f"{port}-{port + 3}:h:{port}-{port + 3}", env=self.env)
        self.assertEqual(code, 1)
        self.assertRegex(errors, rf"cannot listen listen=127.0.0.1:{port + 2} .*another program listens there")
        self.assertFalse(is_listening(port))

    def test_what_is_wrong_on_the_command_line_is_said_with_the_remedy(self):
        for words, says in ((["3000"], "the server comes first"),
                            ([self.url], "nothing to forward"),
                            ([self.url, "3000:h"], "\"3000:h\": it has no port: write HOST:PORT"),
                            ([self.url, "8000-8010:h:80"], "both sides need as many ports"),
                            ([self.url, "h:1:2"], "two meanings"),
                            ([self.url, "-W", "h"], "\"h\": it has no port"),
                            ([self.url, "80:h:80", "80:g:80"], "two forwards listen on 127.0.0.1:80")):
            with self.subTest(words=words):
                code, out, errors = self.run_tws("client", *words, env=self.env)
                self.assertIn(code, (2, 78))
                self.assertEqual(out, "")
                self.assertIn(says, errors)

    def test_what_a_full_disk_swallows_is_no_success(self):
        key, _ = self.keygen()
        client = self.write("client.yaml", yaml({"server": "ws://127.0.0.1:1/", "key_file": key,
                                                 "forwards": [{"listen": "127.0.0.1:1", "remote": "127.0.0.1:1"}]}))
        for argv in (["check", client], ["client", "--dry-run", "--config", client], ["keygen"], ["--help"],
                     ["keygen", "-o", os.path.join(self.folder, "new.key")]):
            with self.subTest(argv=argv), open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([tws_e2e.TWS, *argv], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output: No space left on device", done.stderr)

    def test_help_has_the_grammar_and_fits_a_screen(self):
        code, out, _ = self.run_tws("client", "--help")
        self.assertEqual(code, 0)
        self.assertIn("[[HOST:]PORT:]HOST:PORT", out)
        self.assertLessEqual(len(out.splitlines()), 24)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)

    def test_the_shell_completes_commands_options_and_values(self):
        def complete(*words):
            script = (f"source {tws_e2e.ROOT}/completion/tws; COMP_WORDS=({' '.join(words)}); "
                      f"COMP_CWORD={len(words) - 1}; _tws; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
            return self.run_program("bash", "-c", script).split()

        self.assertEqual(complete(tws_e2e.TWS, "cl"), ["client"])
        self.assertEqual(complete(tws_e2e.TWS, "client", "--std"), ["--stdio"])
        self.assertEqual(complete(tws_e2e.TWS, "server", "--keys"), ["--keys_file"])
        self.assertEqual(complete(tws_e2e.TWS, "client", "--log", "w"), ["warn"])
        self.assertIn("--insecure", complete(tws_e2e.TWS, "client", "--"))

    # ---- stdin and stdout ----

    def test_stdio_carries_both_ways_and_ends_with_the_channel(self):
        target = self.service()
        for words in (["-W", f"127.0.0.1:{target.port}"], [f"stdio:localhost:{target.port}"]):
            out, errors = self.stdio(*words, data=b"hello")
            self.assertEqual((out, errors), (b"hello", ""))

    def test_stdio_closes_each_half_by_itself(self):
        target = self.service(hear_and_say_goodbye)
        out, _ = self.stdio("-W", f"127.0.0.1:{target.port}", data=b"x" * MIB)
        self.assertEqual(out, b"heard %d" % MIB)
        # The target ends first: stdout ends, stdin goes on.
        heard = []
        def end_first(peer):
            peer.shutdown(1)
            heard.append(read_all(peer))
        target = self.service(end_first)
        process = subprocess.Popen([tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{target.port}"], env=self.env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with process:
            self.assertEqual(process.stdout.read(), b"")
            process.stdin.write(b"after your end")
            process.stdin.close()
            self.assertEqual(process.wait(WAIT), 0)
        wait_until(lambda: heard == [b"after your end"], "the target hears what comes after its end")

    def test_stdio_works_on_pipes_files_sockets_and_nothing(self):
        target = self.service()
        data = os.urandom(3 * MIB)
        with open(f"{self.folder}/in", "wb") as file:
            file.write(data)
        argv = [tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{target.port}"]
        with open(f"{self.folder}/in", "rb") as source, open(f"{self.folder}/out", "wb") as sink:
            subprocess.run(argv, stdin=source, stdout=sink, env=self.env, timeout=WAIT, check=True)
        self.run_program("cmp", f"{self.folder}/in", f"{self.folder}/out")
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=self.env, timeout=WAIT, check=True)
        ours, theirs = socket.socketpair()
        with subprocess.Popen(argv, stdin=theirs, stdout=theirs, env=self.env) as process:
            theirs.close()
            sender = threading.Thread(target=lambda: (ours.sendall(data), ours.shutdown(1)), daemon=True)
            sender.start()
            self.assertEqual(read_all(ours), data)
            self.assertEqual(process.wait(WAIT), 0)

    def test_stdio_that_is_closed_is_no_success(self):
        argv = [tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{self.service().port}"]
        for closed, name in ((">&-", "stdout"), ("<&-", "stdin")):
            with self.subTest(closed=closed):
                done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *argv], input=b"hello", env=self.env,
                                      timeout=WAIT, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"{name}: Bad file descriptor".encode(), done.stderr)

    def test_a_terminal_is_left_as_it_was(self):
        target = self.service()
        controller, terminal = pty.openpty()
        with subprocess.Popen([tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{target.port}"], stdin=terminal,
                              stdout=terminal, env=self.env) as process:
            os.write(controller, b"typed\n")
            seen = b""
            while seen.count(b"typed") < 2:  # the terminal's echo, and the target's
                seen += os.read(controller, 100)
            self.assertTrue(os.get_blocking(terminal))
            os.write(controller, b"\x04")
            self.assertEqual(process.wait(WAIT), 0)
        self.assertTrue(os.get_blocking(terminal))
        os.close(controller)
        os.close(terminal)

    def test_a_target_that_cannot_be_reached_is_exit_code_1_and_its_reason(self):
        nobody = free_port()
        _, errors = self.stdio("-W", f"127.0.0.1:{nobody}", expect=1)
        self.assertRegex(errors, rf"error stdio ended target=127.0.0.1:{nobody} reason=\"connection refused\"")
        _, errors = self.stdio("-W", "10.1.2.3:22", expect=1)
        self.assertRegex(errors, "no rule of the user allows the target")
        _, errors = self.stdio("stdio:no-such-name.invalid:22", expect=1)
        self.assertRegex(errors, "error stdio ended target=no-such-name.invalid:22")
        target = self.service(reset)
        _, errors = self.stdio("-W", f"127.0.0.1:{target.port}", data=b"x" * 100, expect=1)
        self.assertRegex(errors, "error stdio ended")

    def test_without_a_server_stdio_gives_up_and_says_why(self):
        config = self.write("client.yaml", tws_e2e.yaml({
            "server": f"ws://127.0.0.1:{free_port()}/tws", "key_file": self.tunnel_server.key_file,
            "connect_timeout": "300ms", "forwards": [{"listen": "127.0.0.1:1", "remote": "127.0.0.1:1"}]}))
        code, out, errors = self.run_tws("client", "--config", config, "-W", "127.0.0.1:22")
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(errors, r"no link to the server for 300 ms: .*Connection refused")
        self.assertNotIn("listening", errors)

    def test_stdio_leaves_the_forwards_of_the_file_to_their_process(self):
        target = self.service()
        tunnel = self.tunnel(target.port, plain=True)
        done = subprocess.run([tws_e2e.TWS, "client", "--config", tunnel.write_client(), "-W",
                               f"127.0.0.1:{target.port}"], input=b"side by side", capture_output=True, timeout=WAIT,
                              check=True)
        self.assertEqual(done.stdout, b"side by side")
        self.assertTrue(ask(tunnel.port))

    def test_signals_end_stdio_at_once_and_sighup_lets_it_finish(self):
        target = self.service()
        argv = [tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{target.port}"]
        for number, code in ((signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGHUP, 0)):
            with self.subTest(signal=number), subprocess.Popen(argv, env=self.env, stdin=subprocess.PIPE,
                                                               stdout=subprocess.PIPE, bufsize=0) as process:
                process.stdin.write(b"one")
                self.assertEqual(process.stdout.read(3), b"one")
                process.send_signal(number)
                if number == signal.SIGHUP:
                    process.stdin.write(b"two")
                    process.stdin.close()
                    self.assertEqual(process.stdout.read(), b"two")
                self.assertEqual(process.wait(WAIT), code)

    def test_who_stops_reading_ends_stdio(self):
        target = self.service(lambda peer: [peer.sendall(b"y" * 65536) for _ in range(1000)])
        with subprocess.Popen([tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{target.port}"], env=self.env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.read(10)
            process.stdout.close()
            self.assertEqual(process.wait(WAIT), 1)
            self.assertEqual(process.stderr.read(), b"")

    def test_a_removed_key_and_an_idle_time_out_end_stdio_with_the_reason(self):
        target = self.service()
        config = self.write("idle.yaml", tws_e2e.yaml({"server": self.url, "idle_timeout": "200ms",
                                                       "key_file": self.tunnel_server.key_file}))
        for argv, act, reason in (
                (["--config", config], lambda: None, "no bytes for too long"),
                ([self.url], self.remove_key, "the session ended: key revoked")):
            with subprocess.Popen([tws_e2e.TWS, "client", *argv, "-W", f"127.0.0.1:{target.port}"], env=self.env,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  bufsize=0) as process:
                process.stdin.write(b"one")
                self.assertEqual(process.stdout.read(3), b"one")
                act()
                self.assertEqual(process.wait(WAIT), 1)
                self.assertRegex(process.stderr.read().decode(), f"stdio ended .*({reason})")

    def remove_key(self):
        self.tunnel_server.users[0]["name"] = "other"
        _, self.tunnel_server.users[0]["key"] = self.keygen("other")
        self.tunnel_server.write_keys()
        self.tunnel_server.server.signal(signal.SIGHUP)

    def test_stdio_outlives_its_links(self):
        target = self.service()
        with subprocess.Popen([tws_e2e.TWS, "client", self.url, "-W", f"127.0.0.1:{target.port}"], env=self.env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              bufsize=0) as process:
            for word in (b"before", b"during", b"after!"):
                process.stdin.write(word)
                self.assertEqual(process.stdout.read(6), word)
                subprocess.run(["ss", "-K", "-tn", f"dport = :{self.tunnel_server.server_port}"], check=False,
                               capture_output=True)
            process.stdin.close()
            self.assertEqual(process.stdout.read(), b"")
            self.assertEqual(process.wait(WAIT), 0)

    @needs("ssh", "sshd", "ssh-keygen")
    def test_ssh_goes_through_as_its_proxy_command(self):
        port = self.start_sshd()
        proxy = f"{tws_e2e.TWS} client {self.url} -W %h:%p"
        options = self.ssh_options()
        there = f"{getpass.getuser()}@127.0.0.1"
        out = self.run_program("ssh", *options, "-o", f"ProxyCommand={proxy}", "-p", str(port), there,
                               "echo $((6*7)); seq 100000 | tail -1", env=self.env)
        self.assertEqual(out.split(), ["42", "100000"])
        with open(f"{self.folder}/file", "wb") as file:
            file.write(os.urandom(5 * MIB))
        grammar = f"{tws_e2e.TWS} client {self.url} stdio:%h:%p"
        self.run_program("scp", *options, "-o", f"ProxyCommand={grammar}", "-P", str(port), f"{self.folder}/file",
                         f"{there}:{self.folder}/copy", env=self.env)
        self.run_program("cmp", f"{self.folder}/file", f"{self.folder}/copy")
        # %h of an IPv6 address comes without brackets.
        out = self.run_program("ssh", *options, "-o", f"ProxyCommand={grammar}", "-p", str(port),
                               f"{getpass.getuser()}@::1", "echo six", env=self.env)
        self.assertEqual(out.split(), ["six"])
        done = subprocess.run(["ssh", *options, "-o", f"ProxyCommand={proxy}", "-p", str(free_port()), there, "true"],
                              capture_output=True, text=True, env=self.env, timeout=WAIT, check=False)
        self.assertEqual(done.returncode, 255)
        self.assertRegex(done.stderr, "connection refused")

    def ssh_options(self):
        return ["-F", "/dev/null", "-i", f"{self.folder}/user", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "LogLevel=ERROR"]

    def start_sshd(self):
        port = free_port()
        for name in ("host", "user"):
            self.run_program("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}")
        shutil.copy(f"{self.folder}/user.pub", f"{self.folder}/authorized")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        daemon = self.start("sshd", [shutil.which("sshd"), "-D", "-e", "-f", "/dev/null", "-p", str(port),
                                     "-h", f"{self.folder}/host", "-o", "ListenAddress=127.0.0.1",
                                     "-o", "ListenAddress=::1", "-o", "UsePAM=no",
                                     "-o", f"AuthorizedKeysFile={self.folder}/authorized", "-o", "StrictModes=no",
                                     "-o", "PidFile=none", "-o", "PermitRootLogin=yes",
                                     "-o", "Subsystem=sftp internal-sftp"])
        daemon.expected = (0, 255, -signal.SIGTERM)
        wait_until(lambda: is_listening(port), "sshd listens")
        return port
