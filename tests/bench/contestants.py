"""contestants.py - what compare.py compares: each starts between a client's ports and a target's, on
loopback, and knows the processes of its two sides."""
import glob
import os
import resource
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from tws_e2e import Case, Tunnel, free_port, is_listening, wait_until


# 10,000 idle connections are 20,000 descriptors in a relay.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
DESCRIPTORS = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


class Stage(Case):
    """A test case that is only used for what it can start and end."""

    def runTest(self):
        """Not a test; unittest wants the name."""


class Contestant:
    """ports: where a client connects, one for each target port; sides: {name: [process]}."""
    needs = []

    def __init__(self, targets):
        self.stage = Stage()
        self.stage.setUp()
        self.targets = targets
        self.ports = list(targets)
        self.sides = {}
        try:
            self.start()
            for port in self.ports:
                wait_until(lambda p=port: is_listening(p), f"{type(self).__name__} listens")
        except BaseException:
            self.stop()
            raise

    def start(self):
        """Direct: nothing in between."""

    def stop(self):
        for process in self.stage.processes:
            process.expected = (0, 1, 143, 255, -signal.SIGTERM)
        self.stage.doCleanups()

    def run(self, side, name, argv, **more):
        process = self.stage.start(name, argv, **more)
        self.sides.setdefault(side, []).append(process)
        return process

    @classmethod
    def missing(cls):
        return [program for program in cls.needs if shutil.which(program) is None]

    def pids(self, side):
        """The processes of a side with all their children."""
        found = []
        todo = [process.popen.pid for process in self.sides.get(side, [])]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for path in glob.glob(f"/proc/{pid}/task/*/children"):
                try:
                    with open(path, encoding="ascii") as file:
                        todo += map(int, file.read().split())
                except OSError:
                    pass
        return found


class Direct(Contestant):
    name = "direct"


class Haproxy(Contestant):
    name = "2 haproxy relays"
    needs = ["haproxy"]

    def start(self):
        middle = [free_port() for _ in self.targets]
        self.ports = [free_port() for _ in self.targets]
        self.relay("client", self.ports, middle)
        self.relay("server", middle, self.targets)

    def relay(self, side, listens, targets):
        lines = ["global", f"  maxconn {DESCRIPTORS // 2 - 50}", "  nbthread 1", "defaults", "  mode tcp", "  timeout connect 5s",
                 "  timeout client 1h", "  timeout server 1h"]
        for listen, target in zip(listens, targets):
            lines += [f"listen p{listen}", f"  bind 127.0.0.1:{listen} backlog 4096", f"  server s 127.0.0.1:{target}"]
        path = self.stage.write(f"haproxy-{side}.cfg", "\n".join(lines) + "\n", 0o644)
        self.run(side, f"haproxy-{side}", ["haproxy", "-db", "-q", "-f", path])


class NginxStream(Contestant):
    name = "2 nginx stream relays"
    needs = ["nginx"]
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"

    def start(self):
        middle = [free_port() for _ in self.targets]
        self.ports = [free_port() for _ in self.targets]
        self.relay("client", self.ports, middle)
        self.relay("server", middle, self.targets)

    def relay(self, side, listens, targets):
        folder = os.path.join(self.stage.folder, side)
        os.mkdir(folder)
        servers = "\n".join(f"server {{ listen 127.0.0.1:{listen} backlog=4096; proxy_pass 127.0.0.1:{target};"
                            " proxy_timeout 1h; tcp_nodelay on; }" for listen, target in zip(listens, targets))
        path = self.stage.write(f"{side}/nginx.conf", f"""
            load_module {self.module};
            {"user root;" if os.getuid() == 0 else ""}
            daemon off; pid {folder}/pid; worker_processes 1; worker_rlimit_nofile {DESCRIPTORS};
            events {{ worker_connections 30000; }}
            stream {{ access_log off; {servers} }}""")
        self.run(side, f"nginx-{side}", ["nginx", "-e", "stderr", "-p", folder, "-c", path])

    @classmethod
    def missing(cls):
        return super().missing() or ([] if os.path.exists(cls.module) else ["libnginx-mod-stream"])


class Ssh(Contestant):
    name = "ssh -L (aes128-gcm)"
    needs = ["ssh", "sshd", "ssh-keygen"]

    def start(self):
        folder, port = self.stage.folder, free_port()
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
        shutil.copy(f"{folder}/user.pub", f"{folder}/authorized")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.run("server", "sshd", [shutil.which("sshd"), "-D", "-e", "-f", "/dev/null", "-p", str(port),
                                    "-h", f"{folder}/host", "-o", "ListenAddress=127.0.0.1", "-o", "UsePAM=no",
                                    "-o", f"AuthorizedKeysFile={folder}/authorized", "-o", "StrictModes=no",
                                    "-o", "PidFile=none", "-o", "PermitRootLogin=yes"])
        wait_until(lambda: is_listening(port), "sshd listens")
        self.ports = [free_port() for _ in self.targets]
        forwards = [word for listen, target in zip(self.ports, self.targets)
                    for word in ("-L", f"127.0.0.1:{listen}:127.0.0.1:{target}")]
        self.run("client", "ssh", ["ssh", "-N", "-F", "/dev/null", "-i", f"{folder}/user", "-p", str(port),
                                   "-c", "aes128-gcm@openssh.com", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                                   "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder}/known",
                                   *forwards, "127.0.0.1"])


class Chisel(Contestant):
    name = "chisel"
    needs = ["chisel"]

    def start(self):
        port = free_port()
        self.ports = [free_port() for _ in self.targets]
        self.run("server", "chisel-server", ["chisel", "server", "--host", "127.0.0.1", "--port", str(port)])
        wait_until(lambda: is_listening(port), "chisel listens")
        self.run("client", "chisel-client", ["chisel", "client", f"http://127.0.0.1:{port}",
                                             *(f"127.0.0.1:{listen}:127.0.0.1:{target}"
                                               for listen, target in zip(self.ports, self.targets))])


class V2ray(Contestant):
    """One pair of processes for each target: it forwards one port."""
    name = "v2ray-plugin, mux 8"
    needs = ["ss-v2ray-plugin"]

    def start(self):
        self.ports = [free_port() for _ in self.targets]
        for listen, target in zip(self.ports, self.targets):
            middle = free_port()
            common = ["ss-v2ray-plugin", "-mode", "websocket", "-mux", "8", "-loglevel", "none"]
            self.run("server", "v2ray-server", [*common, "-server", "-localAddr", "127.0.0.1", "-localPort", str(middle),
                                                "-remoteAddr", "127.0.0.1", "-remotePort", str(target)])
            wait_until(lambda p=middle: is_listening(p), "v2ray-plugin listens")
            self.run("client", "v2ray-client", [*common, "-localAddr", "127.0.0.1", "-localPort", str(listen),
                                                "-remoteAddr", "127.0.0.1", "-remotePort", str(middle)])


class Tws(Contestant):
    name = "tws, ws"
    options = {"plain": True}

    def start(self):
        tunnel = Tunnel(self.stage, self.targets, **self.options)
        self.ports = tunnel.ports
        self.sides = {"client": [tunnel.client], "server": [tunnel.server]}


class TwsSealed(Tws):
    name = "tws, ws, sealed"
    options = {"plain": True, "client": {"encrypt": "require"}}


class TwsWss(Tws):
    name = "tws, wss through nginx"
    options = {}


ALL = [Direct, Haproxy, NginxStream, Ssh, Chisel, V2ray, Tws, TwsWss, TwsSealed]
