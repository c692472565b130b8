"""test_tun.py - IP links: real packets through real devices, in network namespaces."""
import errno
import hashlib
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time

import netns
import peer
import tun_net
import tws_e2e
from tun_net import INNER4, INNER6
from tws_e2e import Service, free_port, needs, wait_until, yaml

needs_tun = netns.needs_wires


@needs_tun
@needs("ping", "iperf3", "curl", "tcpdump")
class Tun(tws_e2e.Case):
    def bring_up(self, clients=1, users=None, tun=None, forward=None, server=None, start=True, **settings):
        """A server with a TUN, and a client for each user."""
        self.net = tun_net.Net(self, clients)
        self.server_port = free_port()
        users = users or [{"tun": ["pool"]}] * clients
        self.keys, self.users = [], []
        for i, user in enumerate(users):
            path, key = self.keygen(f"user{i}")
            self.keys.append(path)
            self.users.append({"name": f"user{i}", "key": key, "allow": ["*"], **user})
        self.server_settings = {"listen": f"*:{self.server_port}", "keys_file": self.write_keys(),
                                "tun": tun or {"device": "tun-s", "address": ["10.9.0.1/24", "fd09::1/64"]},
                                **(server or {})}
        with self.net.inside(self.net.server):
            self.server = self.start_tws("server", "server", "--config",
                                         self.write("server.yaml", yaml(self.server_settings) + "\n"))
        self.server.wait_ready()
        self.forward = {"kind": "tun", "device": "tun-c", **(forward or {})}
        self.settings = {"encrypt": "off", "connections": 2, **settings}
        self.clients = []
        for i in range(clients if start else 0):
            self.start_client(i)
            self.clients[i].wait_log("tun open")

    def write_keys(self):
        return self.write("keys.yaml", yaml({"users": self.users}) + "\n")

    def write_client(self, i, **settings):
        return self.write(f"client{i}.yaml", yaml({"server": f"ws://10.80.{i}.1:{self.server_port}/tws", "name": f"client{i}",
                                                   "key_file": self.keys[i], "forwards": [self.forward], **self.settings,
                                                   **settings}) + "\n")

    def start_client(self, i=0, **more):
        with self.net.inside(self.net.clients[i]):
            self.clients.append(self.start_tws(f"client{i}", "client", "--config", self.write_client(i), **more))
        return self.clients[-1]

    def on(self, namespace, *argv, good=True):
        done = self.net.run(namespace, *argv, timeout=20)
        if good is not None:
            self.assertEqual(done.returncode == 0, good, f"{argv}: {done.stdout}{done.stderr}\n{self.server.log[-3000:]}")
        return done.stdout + done.stderr

    def ping(self, target, i=0, good=True, *more):
        return self.on(self.net.clients[i], "ping", "-n", "-c1", "-W10" if good else "-W0.3", *more, target, good=good)

    def address(self, i=0, family=4):
        found = re.findall(rf"tun open.* ipv{family}=(\S+)", self.clients[i].log)
        return found[-1]

    def routed(self, i=0, to="10.80.100.0/24", device="tun-c"):
        netns.ip("-n", self.net.clients[i], "route", "replace", to, "dev", device)

    def inner_service(self, handler=tws_e2e.echo, host=INNER4):
        with self.net.inside(self.net.inner):
            service = Service(handler, host)
        self.addCleanup(service.close)
        return service

    def test_the_example_is_right(self):
        with open(os.path.join(tws_e2e.ROOT, "example", "client-tun.yaml"), encoding="utf-8") as file:
            text = file.read().replace("/etc/tws/laptop.key", self.keygen()[0])
        for more in ("", "    all: true\n    dns: [10.20.0.53]\n"):
            code, _, errors = self.run_tws("check", self.write("example.yaml", text + more))
            self.assertEqual((code, errors), (0, ""))

    # ---- packets ----

    def test_packets_of_both_families_go_through_and_come_back(self):
        self.bring_up(forward={"routes": ["10.80.100.0/24", "fd80:100::/64"]})
        for target in ("10.9.0.1", "fd09::1", INNER4, INNER6):
            self.ping(target)
        self.assertEqual((self.address(), self.address(family=6)), ("10.9.0.2", "fd09::2"))

    def test_a_page_and_a_gigabyte_a_minute_go_through(self):
        self.bring_up(forward={"routes": ["10.80.100.0/24"]})
        page = self.inner_service(lambda peer: (peer.recv(4096), peer.sendall(
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")))
        self.assertEqual(self.on(self.net.clients[0], "curl", "-sS", f"http://{INNER4}:{page.port}/"), "hello")
        with self.net.inside(self.net.inner):
            self.start("iperf3", ["iperf3", "-s", "-1", "-p", "5201"])
        wait_until(lambda: "LISTEN" in self.on(self.net.inner, "ss", "-Hltn", "sport = :5201"), "iperf3 listens")
        for more in ([],):
            shown = self.on(self.net.clients[0], "iperf3", "-c", INNER4, "-p", "5201", "-n", "64M", "-J", *more)
            rate = json.loads(shown)["end"]["sum_received"]["bits_per_second"]
            self.assertGreater(rate, 20e6)
            print(f"[{rate / 1e6:.0f} Mbit/s]", end=" ")

    def lengths(self, namespace, device):
        """Bytes of the average packet that the kernel put into a device, and of those it got out of it."""
        stats = json.loads(self.on(namespace, "ip", "-s", "-j", "link", "show", "dev", device))[0]["stats64"]
        return [stats[way]["bytes"] / max(stats[way]["packets"], 1) for way in ("tx", "rx")]

    def test_bulk_of_both_families_passes_the_kernel_in_super_packets_and_arrives_whole(self):
        self.bring_up(forward={"routes": ["10.80.100.0/24", "fd80:100::/64"]})
        data = random.Random(1).randbytes(8 * tws_e2e.MIB)
        digest = hashlib.sha256(data).digest()

        def swap(peer):
            peer.sendall(hashlib.sha256(tws_e2e.read_exactly(peer, len(data))).digest())
            peer.sendall(data)
        for host in (INNER4, INNER6):
            service = self.inner_service(swap, host)
            with self.net.inside(self.net.clients[0]):
                peer = tws_e2e.connect(service.port, host, timeout=60)
            with peer:
                peer.sendall(data)
                self.assertEqual(tws_e2e.read_exactly(peer, 32), digest)
                self.assertEqual(hashlib.sha256(tws_e2e.read_exactly(peer, len(data))).digest(), digest)
        for namespace, device in ((self.net.clients[0], "tun-c"), (self.net.server, "tun-s")):
            lengths = self.lengths(namespace, device)
            # Data one way, acknowledgements the other: an average above the MTU is one of super packets.
            self.assertGreater(min(lengths), 1500, f"{device}: {lengths}")
            print([round(n) for n in lengths], end=" ")

    def test_large_packets_fit_when_both_ends_have_a_large_mtu(self):
        self.bring_up(tun={"device": "tun-s", "address": ["10.9.0.1/24"], "mtu": 9000}, forward={"mtu": 16000})
        self.ping("10.9.0.1", 0, True, "-M", "do", "-s", "8972")
        self.ping("10.9.0.1", 0, False, "-M", "do", "-s", "8973")

    def test_a_syn_announces_what_fits(self):
        self.bring_up(tun={"device": "tun-s", "address": ["10.9.0.1/24"], "mtu": 1400},
                      forward={"routes": ["10.80.100.0/24"]})
        service = self.inner_service()
        dump = None
        with self.net.inside(self.net.inner):
            dump = self.start("tcpdump", ["tcpdump", "-ni", "out0", "--immediate-mode", "-l", "-v", f"tcp port {service.port}"])
        dump.wait_log("listening on")
        # The client's own device has 1500: what arrives was lowered on the way.
        netns.ip("-n", self.net.clients[0], "link", "set", "tun-c", "mtu", "1500")
        with self.net.inside(self.net.clients[0]), tws_e2e.connect(service.port, INNER4) as peer:
            peer.sendall(b"hello")
            self.assertEqual(tws_e2e.read_exactly(peer, 5), b"hello")
        sizes = dump.wait_log(r"Flags \[S\].*mss (\d+)")
        self.assertEqual(sizes.group(1), "1360")
        dump.signal(signal.SIGINT)

    # ---- who may what ----

    def test_a_source_that_is_not_the_clients_is_dropped_counted_and_told(self):
        self.bring_up(forward={"routes": ["10.80.100.0/24"]})
        netns.ip("-n", self.net.clients[0], "address", "add", "10.9.0.77/32", "dev", "tun-c")
        self.ping(INNER4)
        self.ping(INNER4, 0, False, "-I", "10.9.0.77")
        self.server.wait_log(r"packet dropped.*icmp 10\.9\.0\.77 > 10\.80\.100\.2.*source is not the client's")
        self.clients[0].stop()
        self.server.wait_log(r"packets dropped.* source=[1-9]")

    def test_every_packet_is_judged_by_the_users_rules(self):
        service = None
        self.bring_up(users=[{"tun": ["pool"], "allow": ["10.80.100.0/24:7000-7001", "tcp/10.9.0.1:7000", "10.9.0.1/32:9"]}],
                      forward={"routes": ["10.80.100.0/24"]})
        with self.net.inside(self.net.inner):
            with tws_e2e.socket.create_server((INNER4, 7000)), tws_e2e.socket.create_server((INNER4, 7002)):
                with self.net.inside(self.net.clients[0]):
                    tws_e2e.connect(7000, INNER4).close()
                    with self.assertRaises(OSError):
                        tws_e2e.connect(7002, INNER4, timeout=1)
        self.assertIsNone(service)
        self.ping(INNER4, 0, False)  # no port, and the rule is for some
        self.server.wait_log(r"packet dropped.*tcp 10\.9\.0\.2\.\d+ > 10\.80\.100\.2\.7002.*no rule")
        self.server.wait_log(r"packet dropped.*icmp 10\.9\.0\.2 > 10\.80\.100\.2\".*no rule")
        self.users[0]["allow"] = ["10.80.100.0/24"]
        self.write_keys()
        self.server.signal(signal.SIGHUP)
        self.server.wait_log("reloaded")
        self.ping(INNER4)

    def test_a_user_without_tun_is_refused_and_a_removed_key_cut_off(self):
        self.bring_up(clients=2, users=[{}, {"tun": ["pool"]}], start=False)
        self.start_client(0).wait_log(r"tun refused.*the user's entry has no tun")
        self.start_client(1).wait_log("tun open")
        self.ping("10.9.0.1", 1)
        self.users.pop()
        self.write_keys()
        self.server.signal(signal.SIGHUP)
        self.clients[1].wait_log("key revoked|session over")
        self.ping("10.9.0.1", 1, False)

    def test_two_clients_have_addresses_of_their_own_and_reach_each_other(self):
        self.bring_up(clients=2, users=[{"tun": ["10.9.0.20", "fd09::20", "10.70.0.0/24"]}, {"tun": ["pool"]}], start=False)
        for i, more in enumerate(({"behind": ["10.70.0.0/24"]}, {"sources": ["10.70.0.0/24"]})):
            self.forward = {"kind": "tun", "device": "tun-c", **more}
            self.start_client(i).wait_log("tun open")
        self.assertEqual((self.address(0), self.address(1)), ("10.9.0.20", "10.9.0.2"))
        self.ping("10.9.0.2", 0)
        self.ping("10.9.0.20", 1)
        self.ping("fd09::20", 1)
        # A network behind the first client: the server has a route, the source is allowed.
        netns.ip("-n", self.net.clients[0], "address", "add", "10.70.0.5/32", "dev", "lo")
        self.assertIn("tun-s", self.on(self.net.server, "ip", "route", "get", "10.70.0.5"))
        self.routed(1, "10.70.0.0/24")
        self.ping("10.70.0.5", 1)
        self.clients[0].stop()
        wait_until(lambda: "10.70.0" not in self.on(self.net.server, "ip", "route"), "the route is removed")

    def test_a_configured_address_is_the_users_or_none(self):
        self.bring_up(users=[{"tun": ["10.9.0.30", "10.9.0.40"]}], forward={"address": ["10.9.0.40/24"]})
        self.assertEqual(self.address(), "10.9.0.40")
        self.ping("10.9.0.1")
        self.clients[0].stop()
        self.forward["address"] = ["10.9.0.50/24"]
        self.start_client(0)
        self.clients[1].wait_log("the server does not allow the address")

    def test_another_address_in_the_keys_file_holds_after_a_reload(self):
        self.bring_up(users=[{"tun": ["10.9.0.20", "10.9.0.21"]}])
        self.assertEqual(self.address(), "10.9.0.20")
        self.users[0]["tun"] = ["10.9.0.30"]
        self.write_keys()
        self.server.signal(signal.SIGHUP)
        self.clients[0].wait_log("tun closed.*the user's tun changed")
        self.clients[0].wait_log(r"tun open.*ipv4=10\.9\.0\.30 ")
        self.ping("10.9.0.1")
        self.assertNotIn("10.9.0.20", self.on(self.net.clients[0], "ip", "address"))

    def test_a_pool_without_a_free_address_refuses_until_one_is_given_back(self):
        self.bring_up(clients=2, tun={"device": "tun-s", "address": ["10.9.0.1/30"]}, start=False)
        self.start_client(0).wait_log(r"tun open.*ipv4=10\.9\.0\.2 ipv6=-")
        self.start_client(1).wait_log("tun refused.*no address of the user is free")
        self.clients[0].stop()
        self.clients[1].wait_log(r"tun open.*ipv4=10\.9\.0\.2")

    def test_a_rate_holds_for_packets_too(self):
        self.bring_up(users=[{"tun": ["pool"], "rate": "1MiB"}], forward={"routes": ["10.80.100.0/24"]})
        with self.net.inside(self.net.inner):
            self.start("iperf3", ["iperf3", "-s", "-1", "-p", "5201"])
        wait_until(lambda: "LISTEN" in self.on(self.net.inner, "ss", "-Hltn", "sport = :5201"), "iperf3 listens")
        shown = self.on(self.net.clients[0], "iperf3", "-c", INNER4, "-p", "5201", "-t", "2", "-R", "-J")
        self.assertLess(json.loads(shown)["end"]["sum_received"]["bits_per_second"], 1.5 * 8 * tws_e2e.MIB)

    # ---- what it lives through ----

    def test_a_flow_outlives_its_links_its_session_and_the_server(self):
        self.bring_up(forward={"routes": ["10.80.100.0/24"]}, retry_timeout="500ms")
        service = self.inner_service()
        with self.net.inside(self.net.clients[0]):
            peer = tws_e2e.connect(service.port, INNER4, timeout=20)
        with peer:
            def works():
                peer.sendall(b"still")
                self.assertEqual(tws_e2e.read_exactly(peer, 5), b"still")
            works()
            for _ in range(2):
                self.on(self.net.clients[0], "ss", "-K", "-tn", f"dport = :{self.server_port}", good=None)
                works()
            mark = len(self.clients[0].log)
            self.server.popen.kill()
            self.server.wait_exit()
            self.server.expected = (-signal.SIGKILL,)
            with self.net.inside(self.net.server):
                self.server = self.start_tws("server", "server", "--config", os.path.join(self.folder, "server.yaml"))
            self.server.wait_ready()
            self.clients[0].wait_log("tun open", after=mark)
            works()
        self.assertEqual(self.address(), "10.9.0.2")

    def test_neither_side_waits_for_the_other_at_its_end(self):
        self.bring_up()
        self.clients[0].popen.kill()
        self.clients[0].expected = (-signal.SIGKILL,)
        self.clients[0].wait_exit()
        begin = time.monotonic()
        self.server.stop()
        self.start_client(0).wait_ready()
        self.clients[1].stop()
        self.assertLess(time.monotonic() - begin, 15)  # a drain may take 30 s

    def test_a_new_client_has_the_address_of_its_killed_self(self):
        self.bring_up(users=[{"tun": ["10.9.0.20"]}])
        self.clients[0].popen.kill()
        self.clients[0].expected = (-signal.SIGKILL,)
        self.clients[0].wait_exit()
        self.start_client(0).wait_log("tun open.*ipv4=10.9.0.20")
        self.ping("10.9.0.1")

    def test_a_reload_changes_routes_and_no_packet_notices(self):
        self.bring_up(forward={"routes": ["10.80.100.0/24"]})
        self.ping(INNER4)
        self.forward["routes"] = ["10.81.0.0/16"]
        self.write_client(0)
        self.clients[0].signal(signal.SIGHUP)
        self.clients[0].wait_log("reloaded")
        routes = self.on(self.net.clients[0], "ip", "route")
        self.assertIn("10.81.0.0/16 dev tun-c", routes)
        self.assertNotIn("10.80.100.0/24", routes)
        self.assertEqual(self.clients[0].log.count("tun open"), 1)
        self.ping("10.9.0.1")

    # ---- everything ----

    def test_everything_but_the_links_goes_in_and_all_is_restored(self):
        self.bring_up(start=False, forward={"all": True, "exclude": ["203.0.113.0/24"]})
        client = self.net.clients[0]
        before = tun_net.state(client)
        self.start_client(0).wait_log("tun open")
        for to, device in (("10.80.100.2", "tun-c"), ("198.51.100.1", "tun-c"), ("203.0.113.1", "up0"),
                           ("10.80.0.9", "up0"), ("10.80.0.9 ipproto udp dport 53", "tun-c"),
                           (f"10.80.0.1 mark {0x54570053}", "up0"), (f"198.51.100.1 mark {0x54570053}", "up0"),
                           ("2001:db8::1", "tun-c")):
            self.assertIn(f"dev {device} ", self.on(client, "ip", "route", "get", *to.split()), to)
        self.ping(INNER4)
        self.ping(INNER6)
        # Links are made anew while everything goes into the tunnel.
        mark = len(self.clients[0].log)
        self.on(client, "ss", "-K", "-tn", f"dport = :{self.server_port}", good=None)
        self.clients[0].wait_log("link up", after=mark)
        self.ping(INNER4)
        self.clients[0].stop()
        self.assertEqual(tun_net.state(client), before)

    def test_a_family_that_the_device_has_not_goes_nowhere(self):
        self.bring_up(users=[{"tun": ["10.9.0.2"]}], forward={"all": True})
        netns.ip("-n", self.net.clients[0], "-6", "route", "add", "default", "dev", "up0")
        self.assertIn("No route to host", self.on(self.net.clients[0], "ip", "route", "get", "2001:db8::1", good=False))

    def test_what_a_killed_client_left_is_removed_by_its_next_life(self):
        self.bring_up(forward={"all": True}, start=False)
        client = self.net.clients[0]
        before = tun_net.state(client)
        self.start_client(0).wait_log("tun open")
        self.clients[0].popen.kill()
        self.clients[0].expected = (-signal.SIGKILL,)
        self.clients[0].wait_exit()
        self.assertNotEqual(tun_net.state(client), before)
        self.start_client(0).wait_log("tun open")
        self.clients[1].wait_log("removed what a killed process left")
        self.ping(INNER4)
        self.clients[1].stop()
        self.assertEqual(tun_net.state(client), before)

    def test_cleanup_removes_what_a_killed_client_left_and_keeps_what_is_used(self):
        self.bring_up(forward={"all": True, "routes": ["10.81.0.0/16"]}, start=False)
        client = self.net.clients[0]
        netns.ip("-n", client, "tuntap", "add", "dev", "tun-c", "mode", "tun")
        netns.ip("-n", client, "link", "set", "tun-c", "up")
        before = tun_net.ipv4_state(client)
        self.start_client(0).wait_log("tun open")
        used = tun_net.state(client)
        self.assertIn("nothing to clean up", self.on(client, tws_e2e.TWS, "cleanup"))
        self.assertEqual(tun_net.state(client), used)
        self.clients[0].popen.kill()
        self.clients[0].expected = (-signal.SIGKILL,)
        self.clients[0].wait_exit()
        self.assertRegex(self.on(client, tws_e2e.TWS, "cleanup"), r"rules, routes and addresses of IP links: removed \d+"
                                                                  r"\n(?s:.*)device tun-c: gives plain packets again")
        self.assertEqual(tun_net.ipv4_state(client), before)
        self.assertIn("nothing to clean up", self.on(client, tws_e2e.TWS, "cleanup"))

    # ---- the system's resolver ----

    def with_resolver(self, **tun):
        """A resolvectl that notes what it is told, and fails at a word in the file `fails`."""
        self.told, self.fails = os.path.join(self.folder, "told"), self.write("fails", "none")
        self.write("resolvectl", f"#!/bin/sh\necho \"$*\" >>{self.told}\n"
                   f"case \"$1\" in $(cat {self.fails})) echo 'Failed to set: no such service' >&2; exit 1;; esac\n", mode=0o755)
        self.path = dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}")
        self.bring_up(start=False, forward={"all": True, "dns": ["10.20.0.53", "fd20::53"], **tun})

    def heard(self):
        with open(self.told, encoding="utf-8") as file:
            lines = file.read().splitlines()
        os.remove(self.told)
        return lines

    def test_the_systems_resolver_is_told_and_told_again_at_the_end_and_by_cleanup(self):
        self.with_resolver()
        netns.ip("-n", self.net.clients[0], "tuntap", "add", "dev", "tun-c", "mode", "tun")  # outlives a kill
        self.start_client(env=self.path).wait_log("tun open")
        self.assertEqual(self.heard(), ["dns tun-c 10.20.0.53 fd20::53", "domain tun-c ~."])
        self.clients[0].stop()
        self.assertEqual(self.heard(), ["revert tun-c"])
        self.start_client(env=self.path).wait_log("tun open")
        self.clients[1].popen.kill()
        self.clients[1].expected = (-signal.SIGKILL,)
        self.clients[1].wait_exit()
        self.heard()
        done = subprocess.run(["ip", "netns", "exec", self.net.clients[0], tws_e2e.TWS, "cleanup"], env=self.path,
                              capture_output=True, text=True, check=True)
        self.assertIn("resolvers of tun-c: as they were before", done.stdout)
        self.assertEqual(self.heard(), ["revert tun-c"])

    def test_a_resolver_that_cannot_be_told_is_one_line_and_the_tunnel_goes_on(self):
        self.with_resolver()
        for fails, heard, reason in (("dns", ["dns tun-c 10.20.0.53 fd20::53"], "Failed to set: no such service"),
                                     ("domain", ["dns tun-c 10.20.0.53 fd20::53", "domain tun-c ~.", "revert tun-c"],
                                      "Failed to set: no such service"),
                                     (None, None, "resolvectl is not installed")):
            with self.subTest(fails=fails):
                if fails:
                    self.write("fails", fails)
                else:
                    os.remove(f"{self.folder}/resolvectl")
                    self.path["PATH"] = self.folder
                client = self.start_client(env=self.path)
                client.wait_log("tun open")
                client.wait_log(rf"cannot set the resolvers device=tun-c reason=\"{reason}: name them in /etc/resolv\.conf\"")
                self.assertEqual(client.log.count("cannot set the resolvers"), 1)
                self.ping(INNER4)
                client.stop()
                self.assertEqual(client.log.count("cannot set the resolvers"), 1)
                if heard:
                    self.assertEqual(self.heard(), heard)

    # ---- rights ----

    def test_without_rights_it_works_on_a_prepared_device_and_leaves_it_as_it_was(self):
        self.bring_up(users=[{"tun": ["10.9.0.20"]}], start=False, forward={"routes": ["10.80.100.0/24"]})
        client = self.net.clients[0]
        netns.ip("-n", client, "tuntap", "add", "dev", "tun-c", "mode", "tun", "user", "nobody")
        for arguments in (["address", "add", "10.9.0.20/24"], ["route", "add", "10.80.100.0/24"]):
            netns.ip("-n", client, "link", "set", "tun-c", "up")
            netns.ip("-n", client, *arguments, "dev", "tun-c")
        before = tun_net.ipv4_state(client)
        self.start_unprivileged().wait_log("tun open")
        self.ping(INNER4)
        self.clients[0].stop()
        self.assertEqual(tun_net.ipv4_state(client), before)

    def start_unprivileged(self):
        """With a copy of the program: the tests may be in a home that is closed to others."""
        nobody = pwd.getpwnam("nobody")
        program = os.path.join(self.folder, "tws")
        node = os.path.join(self.folder, "tun")
        if not os.path.exists(node):
            os.mknod(node, 0o666 | stat.S_IFCHR, os.stat("/dev/net/tun").st_rdev)
            os.chmod(node, 0o666)
            shutil.copy(tws_e2e.TWS, program)

        def become():
            netns.own_mounts()
            netns.bind(node, "/dev/net/tun")
            for name in ("", *os.listdir(self.folder)):
                os.chown(os.path.join(self.folder, name), nobody.pw_uid, nobody.pw_gid)
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)

        return self.start_client(0, limits=become, program=program)

    def test_a_missing_right_gets_one_line_with_the_remedy(self):
        for forward, line in (({}, r"cannot open the device.*CAP_NET_ADMIN, or prepare the device: ip tuntap add"),
                              ({"all": True}, r"cannot lead everything.*all needs CAP_NET_ADMIN")):
            self.bring_up(start=False, forward=forward)
            client = self.start_unprivileged()
            client.expected = (1,)
            self.assertEqual(client.wait_exit(), 1)
            self.assertRegex(client.log, line)
            self.assertEqual(client.log.count("ERROR") + client.log.count("error"), 2, client.log)
            self.server.stop()

    def test_a_prepared_device_that_lacks_something_says_what(self):
        self.bring_up(start=False, users=[{"tun": ["10.9.0.20"]}])
        client = self.net.clients[0]
        netns.ip("-n", client, "tuntap", "add", "dev", "tun-c", "mode", "tun", "user", "nobody")
        netns.ip("-n", client, "link", "set", "tun-c", "up")
        self.start_unprivileged().wait_log(r"cannot set up the device.*CAP_NET_ADMIN, or do it before: "
                                           r"ip address add 10\.9\.0\.20/24 dev tun-c")


def checksum(data):
    words = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while words > 0xffff:
        words = (words & 0xffff) + (words >> 16)
    return struct.pack("!H", ~words & 0xffff)


def icmp(source, target, kind, rest):
    """An ICMP packet of type `kind`; an even number of bytes."""
    v6 = ":" in source
    ends = b"".join(socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, end) for end in (source, target))
    body = bytes([kind, 0, 0, 0]) + rest
    pseudo = ends + struct.pack("!II", len(body), 58) if v6 else b""
    body = body[:2] + checksum(pseudo + body) + body[4:]
    if v6:
        return struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ends + body
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 1, 0, 255, 1)
    return head + checksum(head + b"\0\0" + ends) + ends + body


@needs_tun
class HostileServer(tws_e2e.Case):
    """A server of the test's own, and a client that leaves its addresses to it."""

    def setUp(self):
        super().setUp()
        self.net = tun_net.Net(self)
        self.machine = self.net.clients[0]
        for setting in ("accept_ra", "accept_redirects"):  # as most machines have it
            self.net.sysctl(self.machine, f"net.ipv6.conf.default.{setting}", 1)
        with self.net.inside(self.net.server):
            listener = peer.Server("10.80.0.1")
        self.addCleanup(listener.close)
        key_file, _ = self.keygen()
        config = {"server": f"ws://10.80.0.1:{listener.port}/", "key_file": key_file, "encrypt": "off", "connections": 1,
                  "forwards": [{"kind": "tun", "device": "tun-c"}]}
        with self.net.inside(self.machine):
            self.client = self.start_tws("client", "client", "--config", self.write("client.yaml", yaml(config) + "\n"))
        with open(key_file, encoding="ascii") as file:
            self.link = listener.accept(file.read())
        self.addCleanup(self.link.close)

    def give(self, *addresses):
        """Says to the next channel which addresses its client has."""
        channel = self.link.wait(peer.OPEN)[1]
        self.link.acknowledge()
        terms = b"".join(peer.parameter(2 if ":" in host else 1, socket.inet_pton(
            socket.AF_INET6 if ":" in host else socket.AF_INET, host) + bytes([bits])) for host, bits in addresses)
        self.link.send((peer.OPENED, channel, 0, terms))
        return channel

    def test_neither_addresses_nor_packets_of_a_server_change_where_a_client_sends(self):
        before = tun_net.state(self.machine)
        self.give(("10.9.0.2", 24), ("2001:db8::2", 3))
        self.client.wait_log("tun failed device=tun-c .*gave 2001:db8::2/3, a network that is not for private use: .*address:")
        mark = len(self.client.log)
        self.give(("10.80.0.77", 25))
        self.client.wait_log("gave 10.80.0.77/25, and this machine is in 10.80.0.2/24", after=mark)
        self.assertEqual([line for line in tun_net.state(self.machine) if "tun-c" not in line],
                         [line for line in before if "tun-c" not in line])
        self.assertNotIn("2001:db8", "".join(tun_net.state(self.machine)))
        channel = self.give(("10.9.0.2", 24), ("fd09::2", 64))
        self.client.wait_log("tun open")
        before = tun_net.state(self.machine)
        prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
        router = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + prefix
        victim = socket.inet_pton(socket.AF_INET6, "2001:db8:bad::9")
        cut = icmp("10.9.0.2", "198.51.100.1", 8, bytes(12))[:28]
        hostile = [icmp("fe80::1", "ff02::1", 134, router), icmp("fe80::1", "fd09::2", 134, router),
                   icmp("fd09::1", "fd09::2", 134, router), icmp("fe80::1", "fd09::2", 137, bytes(4) + victim + victim),
                   icmp("fd09::1", "fd09::2", 137, bytes(4) + victim + victim),
                   icmp("10.80.0.1", "10.9.0.2", 5, socket.inet_aton("10.9.0.1") + cut),
                   icmp("127.0.0.1", "10.9.0.2", 8, bytes(4)), icmp("10.9.0.2", "10.9.0.2", 8, bytes(4)),
                   icmp("fd09::2", "fd09::2", 128, bytes(4)), icmp("::1", "fd09::2", 128, bytes(4)),
                   icmp("10.80.0.99", "10.9.0.2", 8, bytes(4)), icmp("10.80.0.99", "10.9.0.2", 11, bytes(4) + cut),
                   icmp("10.9.0.1", "10.80.0.2", 8, bytes(4))]
        marked = [icmp("10.9.0.1", "10.9.0.2", 8, b"mark"), icmp("fd09::1", "fd09::2", 128, b"mark")]
        self.link.send(*[(peer.DATAGRAM, channel, i, packet) for i, packet in enumerate(hostile + marked)])
        answers = {}
        while len(answers) < len(marked):
            packet = self.link.wait(peer.DATAGRAM, channel=channel)[3]
            self.assertEqual(packet[-4:], b"mark", "only what is no lie is answered")
            answers[packet[0] >> 4] = packet
        self.link.acknowledge()
        self.client.wait_log('packet dropped device=tun-c packet="icmp fe80::1 > ff02::1"')
        self.assertEqual(tun_net.state(self.machine), before)
        # A router's error, from wherever, is heard by whom it is about.
        with self.net.inside(self.machine):
            ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with ours:
            ours.settimeout(tws_e2e.WAIT)
            ours.connect(("10.9.0.1", 9))
            ours.send(b"x")
            sent = self.link.wait(peer.DATAGRAM, channel=channel)[3]
            self.link.send((peer.DATAGRAM, channel, 99, icmp("10.80.0.99", "10.9.0.2", 12, bytes(4) + sent[:28])))
            with self.assertRaises(OSError) as caught:
                ours.recv(1)
            self.assertEqual(caught.exception.errno, errno.EPROTO)
        self.client.stop()
        self.assertIn("packets dropped device=tun-c source=2 destination=1 unfit=10", self.client.log)
