"""tws_e2e.py - what the end-to-end tests stand on: free ports, processes that are waited for and never
slept for, a TLS certificate, nginx with example/nginx.conf, a tunnel of real binaries, small TCP
services.

Readiness comes from where a service manager would get it: each tws process has a NOTIFY_SOCKET of its
own, so READY=1 and STATUS= tell when it listens and how many links are up. Everything started is
ended by the test that started it, by process id, and its exit code and its sanitizer's verdict are
part of the test."""
import errno
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TWS = os.path.join(ROOT, "build", "release", "tws")
SANITIZED = False
MIB = 1 << 20
TRANSFER_MIB = int(os.environ.get("E2E_MIB", "128"))
WAIT = 20.0
LOG_BYTES, LOGS = int(os.environ.get("E2E_LOG_BYTES", "4000")), 8
SANITIZER = re.compile(r"ERROR: \w*Sanitizer|runtime error:|LeakSanitizer|Assertion .* failed")


def configure(tws, sanitized):
    """Called once by run.py."""
    global TWS, SANITIZED, WAIT
    TWS, SANITIZED = os.path.abspath(tws), sanitized
    if sanitized:
        WAIT = 60.0


# ---- waiting ----

def wait_until(condition, what, timeout=None, pause=0.02):
    """The condition's first true value; fails with `what` when there is none in time."""
    deadline = time.monotonic() + (timeout or WAIT)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout or WAIT:.0f} s")
        time.sleep(pause)


# ---- ports and sockets ----

def free_port(host="127.0.0.1", _given=set()):
    """A port nobody listens on, outside the range the kernel takes source ports from, never twice."""
    while True:
        port = random.randrange(10000, 32000)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port


class Reset(socket.socket):
    """A connection that was made and reset before connect() looked: met where the test reads or writes."""

    def recv(self, *_):
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    send = sendall = shutdown = recv


def connect(port, host="127.0.0.1", timeout=None):
    try:
        peer = socket.create_connection((host, port), timeout=timeout or WAIT)
    except ConnectionResetError:
        return Reset()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def reset(peer):
    """Closes with RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def read_all(peer):
    pieces = []
    while piece := peer.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(peer, count):
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(min(65536, count - len(data)))
        if not piece:
            raise AssertionError(f"the stream ended after {len(data)} of {count} bytes")
        data += piece
    return bytes(data)


def ask(port, message=b"are you there?", host="127.0.0.1"):
    """One message through an echo service and back."""
    with connect(port, host) as peer:
        peer.sendall(message)
        return read_exactly(peer, len(message)) == message


def exchange(peer, size, disturb=None, quarters=(1,)):
    """Sends `size` bytes through an echo; disturb() is called after these quarters. They must come
    back unaltered; returns for how long, at most, nothing came."""
    marks = [size * quarter // 4 for quarter in quarters]
    piece = os.urandom(MIB)
    sent, received, count = hashlib.sha256(), hashlib.sha256(), 0

    def send():
        for _ in range(size // MIB):
            peer.sendall(piece)
        peer.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    gap, last = 0.0, time.monotonic()
    while data := peer.recv(65536):
        received.update(data)
        now = time.monotonic()
        gap, last = max(gap, now - last), now
        count += len(data)
        if disturb is not None and marks and count >= marks[0]:
            marks.pop(0)
            disturb()
    sender.join()
    for _ in range(size // MIB):
        sent.update(piece)
    if count != size or sent.digest() != received.digest():
        raise AssertionError(f"{count} bytes came back, not the {size} that were sent")
    return gap


def is_listening(port):
    listed = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], check=True, capture_output=True, text=True).stdout
    return bool(listed.strip())


class Service:
    """A TCP service in this process: handler(connection) in a thread for each connection."""

    def __init__(self, handler, host="127.0.0.1", port=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.port = port or free_port(host)
        self.handler = handler
        self.accepted = 0
        self.listener = socket.create_server((host, self.port), family=family, backlog=1024)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer:
            try:
                self.handler(peer)
            except OSError:
                pass

    def close(self):
        """Its thread first: it would go on with whoever gets the descriptor next."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(WAIT)
        self.listener.close()


def echo(peer):
    """Sends back what comes, and ends its side when the other ends its own."""
    while data := peer.recv(65536):
        peer.sendall(data)


# ---- processes ----

class Process:
    """A program with its output in a file."""

    def __init__(self, name, argv, folder, env=None, limits=None, cwd=None):
        self.name = name
        self.path = os.path.join(folder, f"{name}-{time.monotonic_ns()}.log")
        self.expected = (0,)
        with open(self.path, "wb") as log:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                          env=env, preexec_fn=limits, cwd=cwd)

    @property
    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def is_running(self):
        return self.popen.poll() is None

    def wait_log(self, pattern, timeout=None, after=0):
        """The first match in the log from offset `after` on."""
        def look():
            found = re.compile(pattern, re.M).search(self.log, after)
            if found is None and not self.is_running():
                raise AssertionError(f"{self.name} ended with {self.popen.returncode} before it wrote /{pattern}/")
            return found
        return wait_until(look, f"{self.name} writes /{pattern}/", timeout)

    def wait_exit(self, timeout=None):
        try:
            return self.popen.wait(timeout or WAIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end") from None

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self):
        """SIGTERM; a program that does not obey is killed, and that is a failure."""
        if self.is_running():
            self.popen.terminate()
        try:
            self.popen.wait(2 * WAIT)  # a drain may take 30 s
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def verdict(self):
        """None, or what was wrong with how it ended."""
        if SANITIZER.search(self.log):
            return f"{self.name}: the sanitizer complains"
        if self.popen.returncode not in self.expected:
            return f"{self.name} ended with {self.popen.returncode}"
        return None


class Tws(Process):
    """`tws ARGUMENTS`, with a service manager's ear."""

    def __init__(self, name, arguments, folder, env=None, limits=None, cwd=None, under=(), program=None):
        self.told = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = os.path.join(folder, f"n{time.monotonic_ns()}")
        self._socket.bind(address)
        threading.Thread(target=self._listen, daemon=True).start()
        env = dict(env if env is not None else os.environ, NOTIFY_SOCKET=address)
        os.chmod(address, 0o777)  # `under` may make it another user's process
        super().__init__(name, [*under, program or TWS, *arguments], folder, env, limits, cwd)

    def _listen(self):
        while True:
            try:
                self.told += self._socket.recv(4096).decode().splitlines()
            except OSError:
                return

    def wait_told(self, pattern, count=1, timeout=None):
        """Waits until `count` lines to the service manager match."""
        def look():
            found = sum(re.fullmatch(pattern, line) is not None for line in list(self.told))
            if found < count and not self.is_running():
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}:\n{self.log}")
            return found >= count
        try:
            wait_until(look, f"{self.name} tells the service manager {pattern}", timeout)
        except AssertionError as late:
            raise AssertionError(f"{late}; it told {self.told[-5:]} and wrote\n{self.log[-2000:]}") from None

    def wait_ready(self):
        self.wait_told("READY=1")
        return self

    @property
    def status(self):
        lines = [line for line in list(self.told) if line.startswith("STATUS=")]
        return lines[-1][len("STATUS="):] if lines else ""

    def wait_status(self, pattern, timeout=None):
        """Waits until the last STATUS= matches; it is told anew every other second."""
        wait_until(lambda: re.fullmatch(pattern, self.status), f"the status of {self.name} is {pattern}", timeout)

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024


# ---- configuration ----

def yaml(value, indent=""):
    """The YAML a user would write for a dict of scalars, lists and dicts."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{key}:", yaml(item, indent + "  ")]
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines.append(f"{indent}{key}:")
            for entry in item:
                text = yaml(entry, indent + "    ")
                lines.append(f"{indent}  - {text[len(indent) + 4:]}")
        elif isinstance(item, list):
            lines.append(f"{indent}{key}: [{', '.join(scalar(entry) for entry in item)}]")
        else:
            lines.append(f"{indent}{key}: {scalar(item)}")
    return "\n".join(lines)


def scalar(item):
    if isinstance(item, bool):
        return "true" if item else "false"
    return f'"{item}"' if isinstance(item, str) and re.search(r"[\[\]*:#{}]", item) else str(item)


def make_certificate(folder, name="tls", subject="DNS:localhost,IP:127.0.0.1,IP:::1"):
    """(certificate, key), self-signed."""
    certificate, key = (os.path.join(folder, f"{name}.{end}") for end in ("pem", "key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={subject}",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


# ---- tests ----

class Case(unittest.TestCase):
    """A test with a folder; what it starts through start() ends with it, and has to end well."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tws-e2e-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.processes = []
        self.logs = []
        self.addCleanup(self._end)

    def _end(self):
        """The tunnel first: without what carries its links, a channel that is still closing holds it up."""
        for process in sorted(reversed(self.processes), key=lambda process: not isinstance(process, Tws)):
            process.stop()
        self.logs = [f"---- {process.name}:\n{process.log[-LOG_BYTES:]}" for process in self.processes]
        wrong = [verdict for process in self.processes if (verdict := process.verdict())]
        if wrong:
            raise AssertionError("; ".join(wrong))

    def run(self, result=None):
        """As unittest has it; a failure is followed by what the processes wrote."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print("\n".join(self.logs[:LOGS]))

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def start(self, name, argv, **more):
        process = Process(name, argv, self.folder, **more)
        self.processes.append(process)
        return process

    def start_tws(self, name, *arguments, **more):
        process = Tws(name, arguments, self.folder, **more)
        self.processes.append(process)
        return process

    def run_tws(self, *arguments, **more):
        """Runs `tws ARGUMENTS` to its end: (exit code, standard output, standard error)."""
        done = subprocess.run([TWS, *arguments], capture_output=True, text=True, timeout=WAIT, check=False,
                              stdin=subprocess.DEVNULL, **more)
        self.assertIsNone(SANITIZER.search(done.stderr), done.stderr)
        return done.returncode, done.stdout, done.stderr

    def service(self, handler=echo, host="127.0.0.1"):
        service = Service(handler, host)
        self.addCleanup(service.close)
        return service

    def unix_service(self, name, handler):
        """The path of a unix socket in the test's folder, whose first connection the handler serves."""
        path = os.path.join(self.folder, name)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        self.addCleanup(listener.close)

        def serve():
            peer, _ = listener.accept()
            with peer:
                handler(peer)

        threading.Thread(target=serve, daemon=True).start()
        return path

    def run_program(self, *argv, timeout=None, **more):
        """Runs another program to a good end and returns its output."""
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout or 4 * WAIT, check=False, **more)
        self.assertEqual(done.returncode, 0, f"{' '.join(argv)}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def keygen(self, name="tester"):
        """(path of a new key file, the key as the keys file has it)."""
        path = os.path.join(self.folder, f"{name}-{time.monotonic_ns()}.key")
        code, stanza, errors = self.run_tws("keygen", "-o", path, "-n", name)
        self.assertEqual(code, 0, errors)
        return path, re.search(r"key: (\S+)", stanza).group(1)

    def start_nginx(self, server_port, subject=None):
        return Nginx(self, server_port, subject)

    def start_sshd(self):
        """Its port, and the options with which ssh and scp log in to this machine."""
        port = free_port()
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}"], check=True)
        shutil.copy(f"{self.folder}/user.pub", f"{self.folder}/authorized")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        daemon = self.start("sshd", [shutil.which("sshd"), "-D", "-e", "-f", "/dev/null", "-p", str(port),
                                     "-h", f"{self.folder}/host", "-o", "ListenAddress=127.0.0.1", "-o", "UsePAM=no",
                                     "-o", f"AuthorizedKeysFile={self.folder}/authorized", "-o", "StrictModes=no",
                                     "-o", "PidFile=none", "-o", "PermitRootLogin=yes",
                                     "-o", "Subsystem=sftp internal-sftp"])
        daemon.expected = (0, 255, -signal.SIGTERM)
        wait_until(lambda: is_listening(port), "sshd listens")
        return port, ["-F", "/dev/null", "-i", f"{self.folder}/user", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                      "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/known"]

    def tunnel(self, *targets, **more):
        return Tunnel(self, targets, **more)


class Nginx:
    """nginx with example/nginx.conf: other ports and paths, nothing else changed."""

    def __init__(self, case, server_port, subject=None):
        self.case = case
        self.port = free_port()
        self.certificate, key = make_certificate(case.folder, f"nginx-{self.port}",
                                                 subject or "DNS:localhost,IP:127.0.0.1,IP:::1")
        with open(os.path.join(ROOT, "example", "nginx.conf"), encoding="utf-8") as file:
            site = file.read()
        for old, new in (("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl backlog=4096;"),
                         ("listen [::]:443 ssl;", f"listen [::1]:{self.port} ssl;"),
                         ("/etc/ssl/tws/fullchain.pem", self.certificate), ("/etc/ssl/tws/privkey.pem", key),
                         ("server 127.0.0.1:5202;", f"server 127.0.0.1:{server_port};")):
            assert old in site, old
            site = site.replace(old, new)
        self.folder = os.path.join(case.folder, f"nginx-{self.port}")
        os.mkdir(self.folder)
        case.write(f"nginx-{self.port}/site.conf", site)
        temp = "\n".join(f"{kind}_temp_path {self.folder}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.path = case.write(f"nginx-{self.port}/nginx.conf", f"""
            {"user root;" if os.getuid() == 0 else ""}
            daemon off;
            pid {self.folder}/pid;
            worker_processes 1;
            worker_rlimit_nofile 20000;
            events {{ worker_connections 8000; }}
            http {{ access_log off;
            {temp}
            include {self.folder}/site.conf; }}""")
        self.argv = ["nginx", "-e", "stderr", "-p", self.folder, "-c", self.path]
        self.process = None
        self.start()

    def start(self):
        self.process = self.case.start("nginx", self.argv)
        wait_until(lambda: is_listening(self.port), "nginx listens")

    def test(self):
        return subprocess.run([*self.argv, "-t"], capture_output=True, text=True, check=False)

    def reload(self):
        """A new worker takes over; the old one serves its connections to their end."""
        before = self.workers()
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: self.workers() - before, "nginx starts a new worker")

    def workers(self):
        with open(f"/proc/{self.process.popen.pid}/task/{self.process.popen.pid}/children", encoding="ascii") as file:
            return set(file.read().split())


class Tunnel:
    """A server, a client with one forward for each target, and nginx with TLS between them unless
    plain. Settings of either side are updated by `server` and `client`, a dict each. A target is a
    port of this machine or "host:port"; self.ports are the client's."""

    def __init__(self, case, targets, *, plain=False, server=None, client=None, allow=None, links=2, start=True,
                 server_limits=None, client_limits=None):
        self.case = case
        self.links = links
        self.limits = {"server": server_limits, "client": client_limits}
        self.server_port = free_port()
        self.targets = [target if isinstance(target, str) else f"127.0.0.1:{target}" for target in targets]
        self.ports = [free_port() for _ in targets]
        self.key_file, key = case.keygen()
        self.users = [{"name": "tester", "key": key, "allow": self.targets if allow is None else allow}]
        self.keys_file = case.write(f"keys-{self.server_port}.yaml", yaml({"users": self.users}) + "\n")
        self.nginx = None if plain else case.start_nginx(self.server_port)
        self.server_settings = {"listen": f"127.0.0.1:{self.server_port}", "keys_file": self.keys_file, **(server or {})}
        url = f"ws://127.0.0.1:{self.server_port}/tws" if plain else f"wss://localhost:{self.nginx.port}/tws"
        self.client_settings = {"server": url, "key_file": self.key_file, "connections": links,
                                "forwards": [{"listen": f"127.0.0.1:{port}", "remote": target}
                                             for port, target in zip(self.ports, self.targets)]}
        if not plain:
            self.client_settings["ca_file"] = self.nginx.certificate
        self.client_settings.update(client or {})
        self.server = self.client = None
        if start:
            self.start_server()
            self.start_client()
            self.wait_links()

    @property
    def port(self):
        return self.ports[0]

    @property
    def link_port(self):
        """Where the client's links go to."""
        return self.nginx.port if self.nginx else self.server_port

    def write_server(self):
        return self.case.write(f"server-{self.server_port}.yaml", yaml(self.server_settings) + "\n")

    def write_client(self):
        return self.case.write(f"client-{self.server_port}.yaml", yaml(self.client_settings) + "\n")

    def write_keys(self):
        return self.case.write(os.path.basename(self.keys_file), yaml({"users": self.users}) + "\n")

    def start_server(self):
        self.server = self.case.start_tws("server", "server", "--config", self.write_server(), limits=self.limits["server"])
        return self.server.wait_ready()

    def start_client(self):
        self.client = self.case.start_tws("client", "client", "--config", self.write_client(), limits=self.limits["client"])
        return self.client.wait_ready()

    def established(self):
        """Local ports of the client's live links."""
        listed = subprocess.run(["ss", "-Htn", "state", "established", f"dport = :{self.link_port}"], check=True,
                                capture_output=True, text=True).stdout
        return {int(line.split()[2].rpartition(":")[2]) for line in listed.splitlines()}

    def wait_links(self, count=None):
        count = self.links if count is None else count
        wait_until(lambda: len(self.established()) == count, f"{count} links are up")
        if count:
            self.client.wait_status(rf"{count} of \d+ links? up.*")

    def cut(self, local_port):
        """Cuts a link as a dying router does with RST: ss -K, in the middle of whatever it carries."""
        subprocess.run(["ss", "-K", "-tn", f"sport = :{local_port}", f"dport = :{self.link_port}"], check=False,
                       capture_output=True)
        wait_until(lambda: local_port not in self.established(), "the link is cut")


def can_cut():
    """Whether ss -K works here: root, and a kernel with INET_DIAG_DESTROY."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            subprocess.run(["ss", "-K", "-tn", f"dport = :{port}"], check=False, capture_output=True)
            left = subprocess.run(["ss", "-Htn", "state", "established", f"dport = :{port}"], check=True,
                                  capture_output=True, text=True).stdout
    return not left.strip()


needs_cut = unittest.skipUnless(can_cut(), "ss -K needs root and INET_DIAG_DESTROY")


def needs(*programs):
    """Skips where a program is not installed; tests/run.sh installs them all."""
    missing = [program for program in programs if shutil.which(program) is None]
    return unittest.skipIf(missing, f"not installed: {' '.join(missing)}")


def not_sanitized(test):
    """For tests of size and speed, which a sanitizer makes pointless."""
    test.only_plain = True
    return test


def alone(test):
    """For tests that measure or need the whole machine: run.py --jobs runs them after all others."""
    test.alone = True
    return test
