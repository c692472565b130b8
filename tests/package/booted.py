#!/usr/bin/env python3
"""booted.py ROOT [WORD...] - the units of the package, installed in the Debian at ROOT, under its own systemd.

The machine that is booted has one network for the clients and, inside it, the namespace `away` for the
server, joined by a cable: 10.1.0.2 and 10.1.0.1. The target is 10.20.0.5, away. Needs root."""
import atexit
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import netns  # noqa: E402 pylint: disable=wrong-import-position
import tws_e2e  # noqa: E402 pylint: disable=wrong-import-position
from tws_e2e import read_exactly, wait_until  # noqa: E402 pylint: disable=wrong-import-position

WAIT = 60.0
SERVER, TARGET, RESOLVER = "10.1.0.1", "10.20.0.5", "10.20.0.53"
# What systemd-nspawn would make: this machine's own settings and devices stay out of reach.
BOOT = r"""
mount --bind "$1" "$1" && cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net && mount -o remount,bind,rw proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 net/tun:10:200; do
  IFS=: read -r name major minor <<END
$node
END
  mknod -m 666 "dev/$name" c "$major" "$minor"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mkdir -p .before && pivot_root . .before && umount -l /.before
mount --make-rshared / # credentials come by a mount that spreads
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
"""


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class Machine:
    """The booted Debian, until this process ends."""

    def __init__(self, root):
        self.root = root
        self.cgroup = self._make_cgroup()
        with open(os.path.join(root, "etc/machine-id"), "w", encoding="ascii"):
            pass
        for unit in ("systemd-sysctl.service", "systemd-networkd.service", "getty.target", "apt-daily.timer"):
            with contextlib.suppress(FileExistsError):
                os.symlink("/dev/null", os.path.join(root, "etc/systemd/system", unit))
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-eu",
             "-c", BOOT, "sh", root], stdin=subprocess.DEVNULL, preexec_fn=lambda: self._join(self.cgroup))
        atexit.register(self.close)
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        self.init = wait_until(lambda: run("cat", children).strip(), "the machine starts", WAIT)
        self._join(os.path.dirname(self.cgroup), self.process.pid)  # a group with groups below has no processes
        wait_until(self._is_up, "systemd is up", WAIT)
        self._join_networks()

    @staticmethod
    def _make_cgroup():
        mount = run("findmnt", "-nro", "TARGET", "-t", "cgroup2").split()
        if not mount:
            sys.exit("booted.py: no cgroup2 is mounted here")
        path = os.path.join(mount[0], f"tws-booted-{os.getpid()}")
        os.mkdir(path)
        return path

    @staticmethod
    def _join(cgroup, process=0):
        with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(process))

    def _is_up(self):
        if self.process.poll() is not None:
            sys.exit("booted.py: systemd does not start here")
        done = self.call("systemctl", "is-system-running")
        return done.stdout.strip() in ("running", "degraded")

    def _join_networks(self):
        self.run("ip", "netns", "add", "away")
        for line in ("link add cable type veth peer name cable netns away", "address add 10.1.0.2/24 dev cable",
                     "link set cable up", f"route add 10.20.0.0/16 via {SERVER}", "-n away link set lo up",
                     f"-n away address add {SERVER}/24 dev cable", "-n away link set cable up",
                     f"-n away address add {TARGET}/32 dev lo"):
            self.run("ip", *line.split())

    def close(self):
        self.process.kill()
        self.process.wait()
        self._remove(self.cgroup)

    @staticmethod
    def _remove(cgroup):
        for folder, _, _ in os.walk(cgroup, topdown=False):
            def gone(folder=folder):
                try:
                    os.rmdir(folder)
                except OSError:
                    return False
                return True
            wait_until(gone, f"{folder} is empty")

    def call(self, *argv):
        return subprocess.run(["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                               "--root", "--wd", *argv], check=False, capture_output=True, text=True, timeout=WAIT,
                              stdin=subprocess.DEVNULL)

    def run(self, *argv):
        done = self.call(*argv)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: {done.stdout}{done.stderr}{self.call('journalctl', '-n30').stdout}")
        return done.stdout

    def write(self, path, text, mode=0o644):
        """Inside; mount points of the machine's own, such as /run, cannot be meant."""
        outside = self.root + path
        os.makedirs(os.path.dirname(outside), exist_ok=True)
        with open(outside, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(outside, mode)

    @contextlib.contextmanager
    def inside(self, name=None):
        """This thread is in the machine's network, or in that namespace there."""
        with open("/proc/thread-self/ns/net", "rb") as home:
            netns.enter(f"/proc/{self.init}/root/run/netns/{name}" if name else f"/proc/{self.init}/ns/net")
            try:
                yield
            finally:
                netns.enter_file(home)

    def connect(self, port, host="127.0.0.1"):
        with self.inside():
            return tws_e2e.connect(port, host, WAIT)

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def log(self, unit, *more):
        return self.run("journalctl", "--sync") + self.run("journalctl", "-o", "cat", "-u", unit, *more)


MACHINE = None


def pass_on(peer, path):
    """All bytes between a connection and a unix socket, as nginx would."""
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        threading.Thread(target=pump, args=(other, peer), daemon=True).start()
        pump(peer, other)


def answer_names(sock, asked):
    """Every name of the DNS is 10.20.0.9 (RFC 1035); who asked for it is noted."""
    with contextlib.suppress(OSError):
        while True:
            query, peer = sock.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            is_a = query[end - 4:end - 2] == b"\0\1"
            record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton("10.20.0.9")
            asked.append(peer[0])
            sock.sendto(query[:2] + b"\x81\x80\0\1" + bytes([0, is_a]) + b"\0\0\0\0" + query[12:end] + record * is_a, peer)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Units(unittest.TestCase):
    """Each test has a server and a client of its own; what it starts is stopped."""

    numbers = iter(range(1, 100))

    def setUp(self):
        number = next(self.numbers)
        self.names = {"server": f"main{number}", "client": f"home{number}"}
        self.server, self.client = (f"tws-{side}@{name}.service" for side, name in self.names.items())
        self.server_port, self.port = 5200 + number, 6200 + number
        self.addCleanup(self.forget)
        self.sources = []
        with MACHINE.inside("away"):
            service = tws_e2e.Service(self.serve, TARGET)
        self.addCleanup(service.close)
        self.target = f"{TARGET}:{service.port}"
        self.stanza = MACHINE.run("sh", "-c", f"cd /etc/tws && umask 077 && tws keygen -o {self.names['client']}.key -n home")
        self.write_keys(f'"{TARGET}"')
        self.write_server()
        self.write_client(self.forward())
        self.drop_in("server", "away", "[Service]\nNetworkNamespacePath=/run/netns/away\n")

    def serve(self, peer):
        self.sources.append(peer.getpeername()[0])
        tws_e2e.echo(peer)

    def forget(self):
        for side, name in self.names.items():
            MACHINE.call("systemctl", "kill", "-s", "KILL", f"tws-{side}@{name}.service")
            MACHINE.call("systemctl", "stop", f"tws-{side}@{name}.socket", f"tws-{side}@{name}.service")

    def run(self, result=None):
        """As unittest has it; a failure is followed by the journal."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(MACHINE.call("journalctl", "-n", "60", "--no-pager").stdout)

    # ---- files ----

    def write(self, side, end, text, mode=0o644):
        MACHINE.write(f"/etc/tws/{self.names[side]}.{end}", text, mode)

    def write_keys(self, allow, more=""):
        self.write("server", "keys.yaml", "users:\n" + re.sub(r"allow: .*", f"allow: [{allow}]{more}", self.stanza), 0o600)

    def write_server(self, listen=None, more=""):
        listen = listen or f"{SERVER}:{self.server_port}"
        self.write("server", "yaml", f"listen: {listen}\nkeys_file: $CREDENTIALS_DIRECTORY/keys.yaml\n{more}")

    def forward(self, port=None):
        return f"  - {{listen: '127.0.0.1:{port or self.port}', remote: '{self.target}'}}\n"

    def write_client(self, forwards, more="", port=None):
        self.write("client", "yaml", f"server: ws://{SERVER}:{port or self.server_port}/\n"
                                     f"key_file: $CREDENTIALS_DIRECTORY/key\nforwards:\n{forwards}{more}")

    def drop_in(self, side, name, text):
        MACHINE.write(f"/etc/systemd/system/tws-{side}@{self.names[side]}.service.d/{name}.conf", text)
        MACHINE.run("systemctl", "daemon-reload")

    def example(self, name):
        return MACHINE.run("cat", f"/usr/share/doc/tws/examples/{name}")

    def install_socket(self, side, old="", new=""):
        """The example, where its first lines say."""
        path = f"/etc/systemd/system/tws-{side}@.socket"
        MACHINE.write(path, self.example(f"tws-{side}@.socket").replace(old, new))
        self.addCleanup(os.remove, MACHINE.root + path)
        MACHINE.run("systemctl", "daemon-reload")

    # ---- processes ----

    def start(self):
        """Both; systemctl comes back when they have said READY=1."""
        MACHINE.run("systemctl", "start", self.server, self.client)
        self.wait_links()

    def wait_show(self, unit, name, pattern):
        wait_until(lambda: re.fullmatch(pattern, MACHINE.show(unit, name)), f"{name} of {unit} is {pattern}", WAIT, 0.1)

    def wait_links(self):
        self.wait_show(self.client, "StatusText", r"2 of 2 links up.*")

    def wait_log(self, unit, text, *more):
        wait_until(lambda: text in MACHINE.log(unit, *more), f"{unit} writes {text}", WAIT, 0.1)

    def pid(self, unit):
        return MACHINE.show(unit, "MainPID")

    def wait_another(self, unit, before):
        wait_until(lambda: self.pid(unit) not in ("0", before), "another is started", WAIT, 0.1)

    def ask(self, port=None, host="127.0.0.1"):
        with MACHINE.connect(port or self.port, host) as peer:
            return self.say(peer)

    @staticmethod
    def say(peer):
        peer.sendall(b"are you there?")
        return read_exactly(peer, 14) == b"are you there?"

    # ---- tests ----

    def test_they_are_ready_when_they_say_so_and_carry(self):
        MACHINE.run("systemctl", "start", self.server, self.client)
        for unit in (self.server, self.client):
            self.assertEqual(MACHINE.show(unit, "ActiveState"), "active")
        self.assertTrue(self.ask())
        self.wait_links()
        self.wait_show(self.server, "StatusText", r"1 sessions?, 2 links.*")

    def test_they_are_nobody_and_may_nothing(self):
        self.start()
        users = set()
        for unit in (self.server, self.client):
            text = MACHINE.run("cat", f"/proc/{self.pid(unit)}/status")
            status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
            users |= {int(uid) for uid in status["Uid"].split()}
            self.assertEqual({status[name].strip("0") for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}, {""}, status)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
            self.assertNotRegex(MACHINE.run("ls", "-ln", f"/run/credentials/{unit}"), r"(?m)^-.{6}[^-]", "others may read")
        self.assertEqual(len(users), 2, "a user each")
        self.assertTrue(all(61184 <= uid <= 65519 for uid in users), users)

    def test_a_reload_takes_the_new_file_and_a_bad_one_changes_nothing(self):
        self.start()
        other = self.port + 1000
        with MACHINE.connect(self.port) as peer:
            self.assertTrue(self.say(peer))
            self.write_client(self.forward() + self.forward(other))
            MACHINE.run("systemctl", "reload", self.client)
            self.wait_log(self.client, "reloaded")
            self.wait_show(self.client, "ActiveState", "active")
            self.assertTrue(self.ask(other))
            self.write_client(self.forward(), "nonsense: 1\n")
            MACHINE.run("systemctl", "reload", self.client)
            self.wait_log(self.client, "nothing changed")
            self.wait_show(self.client, "ActiveState", "active")
            self.assertTrue(self.ask(other))
            MACHINE.run("systemctl", "reload", self.server)
            self.wait_log(self.server, "reloaded")
            self.assertTrue(self.say(peer), "an open connection lives on")

    def test_the_journal_knows_how_grave_a_line_is(self):
        self.start()
        self.write_client(self.forward(), "nonsense: 1\n")
        MACHINE.run("systemctl", "reload", self.client)
        self.wait_log(self.client, "nothing changed", "-p", "err")
        self.assertIn("nonsense", MACHINE.log(self.client, "-p", "err"))
        self.assertIn("link up", MACHINE.log(self.client))
        self.assertNotIn("link up", MACHINE.log(self.client, "-p", "warning"))
        self.assertNotRegex(MACHINE.log(self.client), r"(?m)^<\d>")

    def test_a_killed_server_is_started_again(self):
        self.start()
        before = self.pid(self.server)
        MACHINE.run("systemctl", "kill", "-s", "KILL", self.server)
        self.wait_another(self.server, before)
        self.wait_show(self.server, "ActiveState", "active")
        self.wait_links()
        self.assertTrue(self.ask())

    def test_one_that_hangs_is_ended_by_the_watchdog(self):
        self.drop_in("client", "watchdog", "[Service]\nWatchdogSec=3\n")
        self.start()
        before = self.pid(self.client)
        MACHINE.run("sh", "-c", f"kill -STOP {before}")
        self.wait_another(self.client, before)
        self.assertRegex(MACHINE.run("journalctl", "-u", self.client), "[Ww]atchdog timeout")
        self.wait_links()
        self.assertTrue(self.ask())

    def test_the_watchdog_leaves_one_alone_that_lives(self):
        self.drop_in("server", "watchdog", "[Service]\nWatchdogSec=2\n")
        self.start()
        before = self.pid(self.server)

        def fed():
            return int(MACHINE.show(self.server, "WatchdogTimestampMonotonic"))

        first = fed()
        wait_until(lambda: fed() > first + 5_000_000, "it was fed for longer than its patience", WAIT, 0.2)
        self.assertEqual(self.pid(self.server), before)

    def test_a_wrong_file_is_no_reason_to_try_again(self):
        self.write_client(self.forward(), "nonsense: 1\n")
        self.assertNotEqual(MACHINE.call("systemctl", "start", self.client).returncode, 0)
        self.assertEqual([MACHINE.show(self.client, name) for name in ("ActiveState", "NRestarts", "ExecMainStatus")],
                         ["failed", "0", "78"])
        self.wait_log(self.client, "nonsense", "-p", "err")

    def test_stop_lets_open_connections_finish(self):
        for side in ("client", "server"):
            self.start()
            unit = getattr(self, side)
            with MACHINE.connect(self.port) as peer:
                self.assertTrue(self.say(peer))
                MACHINE.run("systemctl", "stop", "--no-block", unit)
                self.wait_log(unit, "draining")
                self.assertEqual(MACHINE.show(unit, "ActiveState"), "deactivating")
                self.assertTrue(self.say(peer))
            self.wait_show(unit, "ActiveState", "inactive")
            self.assertEqual(MACHINE.show(unit, "Result"), "success")

    def test_stop_does_not_wait_for_ever(self):
        self.write_client(self.forward(), "drain: 1s\n")
        self.start()
        with MACHINE.connect(self.port) as peer:
            self.assertTrue(self.say(peer))
            MACHINE.run("systemctl", "stop", self.client)
            self.assertEqual(MACHINE.show(self.client, "Result"), "success")

    def test_a_unix_socket_in_its_runtime_directory(self):
        path = f"/run/tws-client/{self.names['client']}/web.sock"
        self.write_client(f"  - {{listen: 'unix:{path}', listen_mode: 0666, remote: '{self.target}'}}\n")
        self.start()
        path = f"/proc/{MACHINE.init}/root{path}"
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            self.assertTrue(self.say(peer))
        MACHINE.run("systemctl", "stop", self.client)
        self.assertFalse(os.path.exists(path))

    def test_a_unix_socket_for_a_group(self):
        path = f"/run/tws-client/{self.names['client']}/web.sock"
        self.write_client(f"  - {{listen: 'unix:{path}', listen_mode: 0660, listen_owner: ':adm', remote: '{self.target}'}}\n")
        self.drop_in("client", "group", "[Service]\nSupplementaryGroups=adm\nPrivateUsers=no\nSystemCallFilter=@chown\n")
        self.start()
        self.assertEqual(MACHINE.run("stat", "-c", "%G %a", path), "adm 660\n")

    def test_spoof_needs_what_its_document_says(self):
        self.write_client(f"  - {{listen: '10.1.0.2:{self.port}', remote: '{self.target}'}}\n")
        self.write_server(more="egress:\n  - {to: [10.20.0.0/16], spoof: true}\n")
        self.drop_in("server", "capability", "[Service]\nAmbientCapabilities=CAP_NET_ADMIN\n"
                                             "CapabilityBoundingSet=CAP_NET_ADMIN\n")
        self.start()
        self.assertIn("egress incomplete", MACHINE.log(self.server), "the capability counts for nothing")
        self.drop_in("server", "capability", self.documented("docs/egress.md"))
        for line in (f"rule add from {TARGET}/32 iif lo lookup 29816", "route replace local 0.0.0.0/0 dev lo table 29816"):
            MACHINE.run("ip", "-n", "away", *line.split())
        self.addCleanup(MACHINE.run, "ip", "-n", "away", "rule", "delete", "lookup", "29816")
        MACHINE.run("systemctl", "restart", self.server)
        self.wait_links()
        wait_until(lambda: self.ask(host="10.1.0.2"), "the links are back", WAIT)
        self.assertEqual(self.sources[-1], "10.1.0.2")
        self.assertEqual(MACHINE.log(self.server).count("egress incomplete"), 1)

    def test_tls_of_its_own_with_a_key_of_root_s(self):
        MACHINE.run("sh", "-ec", "mkdir -p /etc/ssl/tws && cd /etc/ssl/tws && openssl req -x509 -newkey rsa:2048 -nodes -days 60 "
                    f"-subj /CN=x -addext subjectAltName=IP:{SERVER} -keyout privkey.pem -out fullchain.pem 2>&1")
        with open(os.path.join(tws_e2e.ROOT, "README.md"), encoding="utf-8") as file:
            group = re.search(r"```sh\n(groupadd .*?)```", file.read(), re.S).group(1)
        MACHINE.run("sh", "-ec", group)
        self.write_server(f"{SERVER}:443", "cert_file: /etc/ssl/tws/fullchain.pem\ncert_key_file: /etc/ssl/tws/privkey.pem\n")
        self.write("client", "yaml", f"server: wss://{SERVER}/\nca_file: /etc/ssl/tws/fullchain.pem\n"
                                     f"key_file: $CREDENTIALS_DIRECTORY/key\nforwards:\n{self.forward()}")
        self.drop_in("server", "tls", self.documented("README.md"))
        self.start()
        self.assertTrue(self.ask())
        MACHINE.run("systemctl", "reload", self.server)
        self.assertTrue(self.ask())

    def test_the_socket_unit_of_a_client_starts_it(self):
        self.install_socket("client", ":80\n", f":{self.port}\n")
        self.write_client(f"  - {{listen: 'fd:web', remote: '{self.target}'}}\n")
        MACHINE.run("systemctl", "start", self.server, f"tws-client@{self.names['client']}.socket")
        self.assertEqual(MACHINE.show(self.client, "ActiveState"), "inactive")
        self.assertTrue(self.ask())
        MACHINE.run("systemctl", "restart", self.client)
        self.assertTrue(self.ask(host="::1"))

    def test_the_socket_unit_of_a_server_starts_it(self):
        name = self.names["server"]
        path = f"/proc/{MACHINE.init}/root/run/tws-{name}.sock"
        with MACHINE.inside("away"):
            nginx = tws_e2e.Service(lambda peer: pass_on(peer, path), SERVER)
        self.addCleanup(nginx.close)
        self.install_socket("server")
        self.write_server("fd:tunnel")
        self.write_client(self.forward(), port=nginx.port)
        MACHINE.run("systemctl", "start", f"tws-server@{name}.socket")
        self.assertEqual((os.stat(path).st_uid, os.stat(path).st_mode & 0o777), (33, 0o600))
        MACHINE.run("systemctl", "start", self.client)
        self.assertTrue(self.ask())
        self.assertEqual(MACHINE.show(self.server, "ActiveState"), "active")
        MACHINE.run("systemctl", "stop", f"tws-server@{name}.socket", self.server)
        self.assertFalse(os.path.exists(path))

    def test_a_transparent_client_and_what_a_killed_one_leaves(self):
        host, port = self.target.split(":")
        self.drop_in("client", "net-admin", self.example("tws-client-net-admin.conf"))
        self.write_client("  - {kind: transparent, networks: [10.20.0.0/16]}\n")
        before = MACHINE.run("nft", "list", "ruleset")
        self.assertTrue(self.ask(port, host))
        self.start()
        self.assertTrue(self.ask(port, host))
        self.assertEqual(len(self.sources), 2)
        self.assertNotEqual(*self.sources, "the second comes from the server")
        MACHINE.run("systemctl", "kill", "-s", "KILL", self.client)
        self.wait_show(self.client, "NRestarts", "1")
        self.wait_links()
        self.assertTrue(self.ask(port, host))
        MACHINE.run("systemctl", "stop", self.client)
        self.assertEqual(MACHINE.run("nft", "list", "ruleset"), before)
        self.start()
        # Killed while it is stopped for good: nobody is started who could tidy up, but ExecStopPost is.
        self.drop_in("client", "once", "[Service]\nRestart=no\n")
        MACHINE.run("systemctl", "kill", "-s", "KILL", self.client)
        self.wait_show(self.client, "ActiveState", "failed")
        self.assertEqual(MACHINE.run("nft", "list", "ruleset"), before)

    def allow_ip_links(self, networks):
        for side in ("server", "client"):
            self.drop_in(side, "tun", self.documented("docs/tun.md"))
        self.write_keys(f'"{networks}"', "\n    tun: [pool]")
        self.write_server(more="tun:\n  device: tws0\n  address: [10.9.0.1/24]\n")

    @staticmethod
    def documented(name, number=0):
        """A drop-in of that document."""
        with open(os.path.join(tws_e2e.ROOT, name), encoding="utf-8") as file:
            return re.findall(r"```ini\n(.*?)```", file.read(), re.S)[number]

    def test_an_ip_link(self):
        self.allow_ip_links("10.9.0.0/24")
        self.write_client("  - {kind: tun, device: tws0, routes: [10.9.0.0/24]}\n")
        with MACHINE.inside("away"):
            service = tws_e2e.Service(self.serve, "0.0.0.0")
        self.addCleanup(service.close)
        self.start()
        wait_until(lambda: "10.9.0.2" in MACHINE.run("ip", "address", "show", "tws0"), "the device is there", WAIT)
        self.assertTrue(self.ask(service.port, "10.9.0.1"))
        self.assertEqual(self.sources, ["10.9.0.2"])
        MACHINE.run("systemctl", "stop", self.client, self.server)
        self.assertNotIn("tws0", MACHINE.run("ip", "link") + MACHINE.run("ip", "-n", "away", "link"))

    def test_the_system_s_resolver_asks_through_an_ip_link_that_has_all(self):
        asked = []
        MACHINE.run("ip", "-n", "away", "address", "add", f"{RESOLVER}/32", "dev", "lo")
        self.addCleanup(MACHINE.run, "ip", "-n", "away", "address", "delete", f"{RESOLVER}/32", "dev", "lo")
        with MACHINE.inside("away"):
            names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            names.bind((RESOLVER, 53))
        self.addCleanup(names.close)
        threading.Thread(target=answer_names, args=(names, asked), daemon=True).start()
        self.allow_ip_links("10.0.0.0/8")
        self.write_client(f"  - {{kind: tun, device: tws0, all: true, dns: [{RESOLVER}]}}\n")
        self.start()
        self.wait_log(self.client, "run the client as root, or name them in /etc/resolv.conf")
        self.drop_in("client", "root", self.documented("docs/tun.md", 1))
        MACHINE.run("systemctl", "restart", self.client)
        wait_until(lambda: MACHINE.log(self.client).count("everything goes into the device") == 2, "all goes there again", WAIT)
        self.assertEqual(MACHINE.log(self.client).count("cannot set the resolvers"), 1)
        found = MACHINE.run("resolvectl", "query", "-4", "--cache=no", "host.tunnel.example")
        self.assertRegex(found, "10.20.0.9 .*tws0")
        self.assertTrue(asked and all(source.startswith("10.9.0.") for source in asked), asked)
        MACHINE.run("systemctl", "stop", self.client)
        self.assertNotIn(RESOLVER, MACHINE.run("resolvectl", "dns"))

    def test_an_upgrade_of_the_package_starts_them_again_and_its_removal_stops_them(self):
        self.start()
        before = self.pid(self.server)
        MACHINE.run("dpkg", "-i", "/root/tws.deb")
        self.assertNotIn(self.pid(self.server), ("0", before))
        self.wait_links()
        self.assertTrue(self.ask())
        MACHINE.run("dpkg", "-r", "tws")
        self.addCleanup(MACHINE.run, "dpkg", "-i", "/root/tws.deb")
        for unit in (self.server, self.client):
            self.assertEqual(MACHINE.show(unit, "ActiveState"), "inactive")


def main():
    global MACHINE
    if os.getuid() != 0 or len(sys.argv) < 2:
        sys.exit("usage, as root: booted.py ROOT [WORD...]")
    names = [name for name in unittest.defaultTestLoader.getTestCaseNames(Units)
             if len(sys.argv) == 2 or any(word in name for word in sys.argv[2:])]
    MACHINE = Machine(os.path.abspath(sys.argv[1]))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(unittest.TestSuite(map(Units, names)))
    bad = len({str(test) for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(not result.wasSuccessful())


main()
