"""Links die, proxies reload, servers restart and fall silent: what forwarded connections notice."""
import signal
import threading

from tws_e2e import (MIB, WAIT, Case, Service, ask, connect, exchange, needs_cut, read_all,
                     read_exactly, wait_until)

SIZE = 96 * MIB


class Cuts(Case):
    def transfer_through(self, tunnel, disturb):
        with connect(tunnel.port, timeout=3 * WAIT) as peer:
            exchange(peer, SIZE, disturb, quarters=(1, 2, 3))

    @needs_cut
    def test_a_transfer_survives_one_link_cut_three_times(self):
        tunnel = self.tunnel(self.service().port)
        cut = []

        def disturb():
            tunnel.wait_links()
            port = sorted(tunnel.established())[len(cut) % 2]
            tunnel.cut(port)
            cut.append(port)

        self.transfer_through(tunnel, disturb)
        self.assertEqual(len(cut), 3)
        tunnel.wait_links()

    @needs_cut
    def test_a_transfer_survives_the_death_of_all_links_at_once(self):
        tunnel = self.tunnel(self.service().port)

        def disturb():
            tunnel.wait_links()
            for port in tunnel.established():
                tunnel.cut(port)

        self.transfer_through(tunnel, disturb)

    def test_a_reload_of_nginx_cuts_nothing_and_loses_nothing(self):
        tunnel = self.tunnel(self.service().port)
        self.transfer_through(tunnel, tunnel.nginx.reload)

    def test_a_restart_of_nginx_is_survived_by_open_connections(self):
        tunnel = self.tunnel(self.service().port)
        with connect(tunnel.port, timeout=3 * WAIT) as peer:
            peer.sendall(b"before")
            self.assertEqual(read_exactly(peer, 6), b"before")
            tunnel.nginx.process.stop()
            peer.sendall(b"while it is away")
            tunnel.nginx.start()
            self.assertEqual(read_exactly(peer, 16), b"while it is away")
        tunnel.wait_links()


class Restarts(Case):
    def test_a_restarted_server_ends_old_connections_and_serves_new_ones(self):
        tunnel = self.tunnel(self.service().port)
        with connect(tunnel.port, timeout=3 * WAIT) as peer:
            peer.sendall(b"hello")
            read_exactly(peer, 5)
            tunnel.server.popen.kill()
            tunnel.server.expected = (-signal.SIGKILL,)
            tunnel.server.wait_exit()
            tunnel.start_server()
            try:
                self.assertEqual(read_all(peer), b"")
            except ConnectionResetError:
                pass
        wait_until(lambda: self.answers(tunnel.port), "new connections are served")

    def answers(self, port):
        try:
            return ask(port)
        except (OSError, AssertionError):
            return False

    def test_a_client_started_first_waits_for_its_server(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False)
        tunnel.start_client()
        tunnel.client.wait_log(r"refused")
        tunnel.start_server()
        tunnel.wait_links()
        self.assertTrue(ask(tunnel.port))

    def test_a_connection_made_while_no_link_is_up_waits_for_one(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False)
        tunnel.start_client()
        with connect(tunnel.port) as peer:
            peer.sendall(b"early")
            tunnel.start_server()
            self.assertEqual(read_exactly(peer, 5), b"early")

    def test_a_connection_is_closed_after_connect_timeout_without_a_link(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False, client={"connect_timeout": "1s"})
        tunnel.start_client()
        with connect(tunnel.port) as peer:
            try:
                self.assertEqual(peer.recv(1), b"")
            except ConnectionResetError:
                pass

    def test_a_repeated_failure_is_logged_once_and_its_end_too(self):
        tunnel = self.tunnel(self.service().port, plain=True, start=False, client={"retry_timeout": "200ms"})
        tunnel.start_client()
        tunnel.client.wait_log(r"refused")
        accepted = []

        def close_at_once(peer):
            accepted.append(peer)

        silent = Service(close_at_once)
        self.addCleanup(silent.close)
        threading.Event().wait(2)
        self.assertEqual(tunnel.client.log.count("refused"), 1, tunnel.client.log)


class Silence(Case):
    def test_a_server_that_accepts_and_says_nothing_is_given_up_and_named(self):
        silent = self.service(read_all)
        tunnel = self.tunnel(self.service().port, plain=True, start=False,
                             client={"server": f"ws://127.0.0.1:{silent.port}/"})
        tunnel.start_client()
        tunnel.client.wait_log(r"(?i)(time|answer)", timeout=3 * WAIT)
        wait_until(lambda: silent.accepted >= 3, "the client tries again", 3 * WAIT)

    def test_sigusr1_makes_an_attempt_that_hangs_anew(self):
        silent = self.service(read_all)
        tunnel = self.tunnel(self.service().port, plain=True, start=False, links=1,
                             client={"server": f"ws://127.0.0.1:{silent.port}/"})
        tunnel.start_client()
        wait_until(lambda: silent.accepted == 1, "the client dials")

        def dialled_again():
            tunnel.client.signal(signal.SIGUSR1)
            return silent.accepted > 1

        wait_until(dialled_again, "another attempt")
        self.assertNotIn("cannot connect", tunnel.client.log)  # the first was not given up for its time

    def test_a_stopped_server_is_found_by_heartbeats_and_connections_resume_when_it_goes_on(self):
        tunnel = self.tunnel(self.service().port, client={"timeout": "500ms"}, server={"timeout": "500ms"})
        with connect(tunnel.port, timeout=3 * WAIT) as peer:
            peer.sendall(b"before")
            read_exactly(peer, 6)
            tunnel.server.signal(signal.SIGSTOP)
            try:
                tunnel.client.wait_status(r"0 of 2 links up.*", timeout=3 * WAIT)
            finally:
                tunnel.server.signal(signal.SIGCONT)
            peer.sendall(b"after")
            self.assertEqual(read_exactly(peer, 5), b"after")
