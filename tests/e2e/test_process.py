"""The program as a service: exit codes, messages, signals, files."""
import fcntl
import glob
import os
import re
import signal

from tws_e2e import ROOT, Case, ask, connect, free_port, make_certificate, read_exactly, wait_until, yaml

USAGE, CONFIGURATION, RUN_TIME = 2, 78, 1


class CommandLine(Case):
    def test_help_and_version_go_to_standard_output_and_fit_a_screen(self):
        for arguments in (["--help"], ["--version"], ["client", "--help"], ["server", "--help"]):
            with self.subTest(arguments=arguments):
                code, out, errors = self.run_tws(*arguments)
                self.assertEqual((code, errors), (0, ""))
                self.assertLessEqual(out.count("\n"), 50)
                self.assertLessEqual(max(map(len, out.splitlines())), 100)

    def test_wrong_usage_ends_with_2_and_names_what_is_wrong(self):
        for arguments, word in (([], "server"), (["serve"], "serve"), (["client", "--colour"], "colour"),
                                (["client", "-l"], "-l"), (["server", "-l", "nowhere"], "nowhere")):
            with self.subTest(arguments=arguments):
                code, _, errors = self.run_tws(*arguments)
                self.assertEqual(code, USAGE, errors)
                self.assertIn(word, errors)

    def test_a_missing_file_ends_with_78_and_is_named(self):
        for command in ("server", "client"):
            code, _, errors = self.run_tws(command, "--config", "/nonexistent/tws.yaml")
            self.assertEqual(code, CONFIGURATION, errors)
            self.assertIn("/nonexistent/tws.yaml", errors)

    def test_a_mistake_in_a_file_is_placed_and_the_nearest_key_is_named(self):
        path = self.write("client.yaml", "server: ws://127.0.0.1:1/\nconections: 3\n")
        for arguments in (["check", path], ["client", "-t", "--config", path]):
            code, _, errors = self.run_tws(*arguments)
            if arguments[0] == "client" and code == USAGE:
                continue
            self.assertEqual(code, CONFIGURATION, errors)
            self.assertRegex(errors, r"client\.yaml:2:1: .*conections.*connections")

    def test_broken_yaml_ends_with_78_and_is_placed(self):
        path = self.write("server.yaml", "listen: 127.0.0.1:1\npasswd: [unclosed\n")
        code, _, errors = self.run_tws("check", path)
        self.assertEqual(code, CONFIGURATION, errors)
        self.assertRegex(errors, r"server\.yaml:\d+:\d+: ")

    def test_the_examples_are_valid(self):
        files = glob.glob(os.path.join(ROOT, "example", "*.yaml"))
        self.assertGreaterEqual(len(files), 3, files)
        key_file, key = self.keygen("laptop")
        certificate, certificate_key = make_certificate(self.folder)
        texts = {}
        for file in files:
            with open(file, encoding="utf-8") as source:
                texts[os.path.basename(file)] = source.read()
        for name, text in texts.items():
            text = re.sub(r"^(key_file: ).*", rf"\g<1>{key_file}", text, flags=re.M)
            text = re.sub(r"^(cert_file: ).*", rf"\g<1>{certificate}", text, flags=re.M)
            text = re.sub(r"^(cert_key_file: ).*", rf"\g<1>{certificate_key}", text, flags=re.M)
            text = re.sub(r"(keys_file: ).*", rf"\g<1>{self.folder}/keys.yaml", text)
            text = re.sub(r"(key: )\S+", rf"\g<1>{key}", text, count=1)
            self.write(name, text)
        for name in texts:
            code, out, errors = self.run_tws("check", os.path.join(self.folder, name))
            self.assertEqual(code, 0, f"{name}: {errors}")

    def test_a_key_file_that_others_can_read_is_refused(self):
        key_file, _ = self.keygen()
        os.chmod(key_file, 0o644)
        path = self.write("client.yaml", yaml({"server": "ws://127.0.0.1:1/", "key_file": key_file,
                                               "listen": "127.0.0.1:1", "remote": "127.0.0.1:1"}))
        code, _, errors = self.run_tws("client", "--config", path)
        self.assertEqual(code, CONFIGURATION)
        self.assertIn(key_file, errors)

    def test_a_busy_port_ends_with_1_and_is_named(self):
        busy = self.service()
        tunnel = self.tunnel(busy.port, plain=True, start=False)
        tunnel.client_settings["forwards"][0]["listen"] = f"127.0.0.1:{busy.port}"
        tunnel.server_settings["listen"] = f"127.0.0.1:{busy.port}"
        for command, path in (("client", tunnel.write_client()), ("server", tunnel.write_server())):
            code, _, errors = self.run_tws(command, "--config", path)
            self.assertEqual(code, RUN_TIME, errors)
            self.assertIn(str(busy.port), errors)

    def test_keygen_does_not_overwrite(self):
        path, _ = self.keygen()
        code, _, errors = self.run_tws("keygen", "-o", path)
        self.assertEqual(code, RUN_TIME)
        self.assertIn(path, errors)


class TwsRust(Case):
    """Files and options of tws-rust go on working."""

    def test_its_options_work(self):
        target, server, local = self.service(), free_port(), free_port()
        secret = "one passphrase for both"
        self.start_tws("server", "server", "-l", f"127.0.0.1:{server}", "-p", secret, "-t", "5000", "--no_udp").wait_ready()
        self.start_tws("client", "client", "-l", f"127.0.0.1:{local}", "-r", f"127.0.0.1:{target.port}",
                       "-s", f"ws://127.0.0.1:{server}/", "-p", secret, "-c", "2", "-t", "5000", "-e", "5000", "-v",
                       "--udp_timeout", "3000").wait_ready()
        self.assertTrue(ask(local))

    def test_its_files_work(self):
        target, server, local = self.service(), free_port(), free_port()
        server_file = self.write("server.yaml", f"listen: 127.0.0.1:{server}\npasswd: some long passphrase\n"
                                                "timeout: 5000\nverbose: 2\nno_udp: false\nudp_timeout: 15000\n", 0o644)
        client_file = self.write("client.yaml", f"listen: 127.0.0.1:{local}\nremote: 127.0.0.1:{target.port}\n"
                                                f"server: ws://127.0.0.1:{server}\npasswd: some long passphrase\n"
                                                "connections: 2\ntimeout: 5000\nretry_timeout: 5000\n", 0o644)
        running = self.start_tws("server", "server", "--config", server_file).wait_ready()
        self.start_tws("client", "client", "--config", client_file).wait_ready()
        self.assertTrue(ask(local))
        running.wait_log(r"(?i)warn.*")


class Signals(Case):
    def test_sigterm_ends_an_idle_process_at_once_with_0(self):
        tunnel = self.tunnel(self.service().port)
        for process in (tunnel.client, tunnel.server):
            process.signal(signal.SIGTERM)
            self.assertEqual(process.wait_exit(), 0)
            # What was sent before the end may be read a moment after it.
            wait_until(lambda p=process: "STOPPING=1" in p.told, "the service manager is told")

    def test_sigterm_to_either_side_lets_open_connections_finish(self):
        for side in ("client", "server"):
            with self.subTest(side=side):
                tunnel = self.tunnel(self.service().port)
                process = getattr(tunnel, side)
                with connect(tunnel.port) as peer:
                    peer.sendall(b"one")
                    read_exactly(peer, 3)
                    process.signal(signal.SIGTERM)
                    process.wait_told("STOPPING=1")
                    peer.sendall(b"two" * 100000)
                    self.assertEqual(read_exactly(peer, 300000), b"two" * 100000)
                    self.assertTrue(process.is_running())
                self.assertEqual(process.wait_exit(), 0)

    def test_a_successor_begins_on_the_port_of_a_server_that_drains(self):
        tunnel = self.tunnel(self.service().port, plain=True)
        drains = tunnel.server
        with connect(tunnel.port) as peer:
            peer.sendall(b"one")
            read_exactly(peer, 3)
            drains.signal(signal.SIGTERM)
            tunnel.client.wait_log("session drains")
            tunnel.start_server()
            self.assertTrue(ask(tunnel.port))
            peer.sendall(b"two")
            self.assertEqual(read_exactly(peer, 3), b"two")
            self.assertTrue(drains.is_running())
        self.assertEqual(drains.wait_exit(), 0)

    def test_a_second_sigterm_ends_at_once(self):
        tunnel = self.tunnel(self.service().port)
        with connect(tunnel.port) as peer:
            peer.sendall(b"one")
            read_exactly(peer, 3)
            tunnel.client.signal(signal.SIGTERM)
            tunnel.client.wait_told("STOPPING=1")
            tunnel.client.signal(signal.SIGTERM)
            tunnel.client.wait_exit()
            tunnel.client.expected = (0, 1, -signal.SIGTERM)

    def test_drain_is_bounded(self):
        tunnel = self.tunnel(self.service().port, client={"drain": "1s"})
        with connect(tunnel.port) as peer:
            peer.sendall(b"one")
            read_exactly(peer, 3)
            tunnel.client.signal(signal.SIGTERM)
            tunnel.client.wait_exit()


class Log(Case):
    """Where the log goes may be full, closed, or never read: the tunnel goes on."""

    def serve(self, redirection):
        tunnel = self.tunnel(self.service().port, plain=True, start=False)
        under = ("sh", "-c", f'exec "$@" {redirection}', "sh")
        tunnel.server = self.start_tws("server", "server", "-vv", "--config", tunnel.write_server(), under=under)
        tunnel.server.wait_ready()
        tunnel.client = self.start_tws("client", "client", "-vv", "--config", tunnel.write_client(), under=under)
        tunnel.client.wait_ready()
        tunnel.wait_links()
        return tunnel

    def check(self, tunnel):
        with connect(tunnel.port) as peer:
            peer.sendall(b"x" * 1000000)
            self.assertEqual(read_exactly(peer, 1000000), b"x" * 1000000)
        for process in (tunnel.client, tunnel.server):
            process.signal(signal.SIGHUP)
            process.wait_told("READY=1", count=2)
        ask(tunnel.port)
        for process in (tunnel.client, tunnel.server):
            process.signal(signal.SIGTERM)
            self.assertEqual(process.wait_exit(), 0)

    def test_a_full_disk(self):
        self.check(self.serve("2>/dev/full"))

    def test_a_closed_descriptor_is_not_a_socket_s(self):
        self.check(self.serve("2>&-"))

    def test_a_pipe_that_nobody_reads(self):
        fifo = os.path.join(self.folder, "log")
        os.mkfifo(fifo)
        unread = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, unread)
        os.write(unread, b"-" * (fcntl.fcntl(unread, fcntl.F_GETPIPE_SZ) - 8192))
        tunnel = self.serve(f"2>{fifo}")
        for _ in range(60):  # each is some lines
            ask(tunnel.port)
        self.check(tunnel)


class Reload(Case):
    def reload(self, process):
        count = process.told.count("READY=1")
        process.signal(signal.SIGHUP)
        process.wait_told("READY=1", count + 1)
        self.assertTrue(any(line.startswith("RELOADING=1") for line in process.told))

    def test_a_new_forward_opens_and_running_connections_stay(self):
        tunnel = self.tunnel(self.service().port)
        with connect(tunnel.port) as peer:
            peer.sendall(b"one")
            read_exactly(peer, 3)
            second = free_port()
            tunnel.client_settings["forwards"].append({"listen": f"127.0.0.1:{second}", "remote": tunnel.targets[0]})
            tunnel.write_client()
            self.reload(tunnel.client)
            self.assertTrue(ask(second))
            peer.sendall(b"two")
            self.assertEqual(read_exactly(peer, 3), b"two")

    def test_a_removed_forward_closes_its_port(self):
        target = self.service()
        tunnel = self.tunnel(target.port, target.port)
        tunnel.client_settings["forwards"].pop()
        tunnel.write_client()
        self.reload(tunnel.client)
        with self.assertRaises(ConnectionRefusedError):
            connect(tunnel.ports[1])
        self.assertTrue(ask(tunnel.ports[0]))

    def test_a_removed_key_ends_its_connections_and_no_others(self):
        tunnel = self.tunnel(self.service().port, plain=True)
        path, key = self.keygen("second")
        tunnel.users.append({"name": "second", "key": key, "allow": tunnel.targets})
        tunnel.write_keys()
        self.reload(tunnel.server)
        port = free_port()
        settings = dict(tunnel.client_settings, key_file=path, forwards=[{"listen": f"127.0.0.1:{port}",
                                                                          "remote": tunnel.targets[0]}])
        self.start_tws("second", "client", "--config", self.write("second.yaml", yaml(settings))).wait_ready()
        self.assertTrue(ask(port))
        with connect(tunnel.port) as stays, connect(port) as goes:
            for peer in (stays, goes):
                peer.sendall(b"one")
                read_exactly(peer, 3)
            tunnel.users.pop()
            tunnel.write_keys()
            self.reload(tunnel.server)
            try:
                self.assertEqual(goes.recv(1), b"")
            except ConnectionResetError:
                pass
            stays.sendall(b"two")
            self.assertEqual(read_exactly(stays, 3), b"two")

    def test_a_bad_file_changes_nothing(self):
        tunnel = self.tunnel(self.service().port)
        with open(tunnel.write_client(), "a", encoding="utf-8") as file:
            file.write("forwardz: []\n")
        with open(tunnel.keys_file, "a", encoding="utf-8") as file:
            file.write("  - nonsense\n")
        for process in (tunnel.client, tunnel.server):
            self.reload(process)
            process.wait_log(r"(?i)reload failed")
        self.assertTrue(ask(tunnel.port))


class Manager(Case):
    def test_status_counts_links_and_channels(self):
        tunnel = self.tunnel(self.service().port)
        with connect(tunnel.port) as peer:
            peer.sendall(b"one")
            read_exactly(peer, 3)
            tunnel.client.wait_told(r"STATUS=2 of 2 links up, 1 channels?.*")
            tunnel.server.wait_told(r"STATUS=1 sessions?, 2 links, 1 channels?.*")

    def test_the_watchdog_is_fed(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False)
        server = self.start_tws("server", "server", "--config", tunnel.write_server(),
                                env=dict(os.environ, WATCHDOG_USEC="400000"))
        server.wait_told("WATCHDOG=1", count=3)

    def test_each_channel_leaves_one_audit_line(self):
        tunnel = self.tunnel(self.service().port)
        ask(tunnel.port, b"12345")
        line = tunnel.server.wait_log(r".*\bchannel\b .*user=tester.*")
        self.assertIn(str(tunnel.targets[0]), line.group(0))
