#!/usr/bin/env python3
"""ways.py - see ways.sh.

socks         SOCKS5 beside tws's plain forward; microsocks and dante, which have no tunnel, beside that
transparent   connections that the kernel catches, beside sshuttle, in network namespaces
spoof         PROXY protocol in, the client's own address out, beside haproxy with usesrc clientip
udp           datagrams of 64 and 1400 bytes: how many, how many are lost, how late
flood         twice as many of them as an uplink of 20 Mbit/s and 20 ms carries: how late are those that come
tun           iperf3 over an IP link beside the same over a TCP forward"""
import contextlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_site import CONGESTION, Site, Stage, allow, main, median, netns, tws_e2e  # noqa: E402

import catch_net  # noqa: E402
import tun_net  # noqa: E402

POUR_MIB = 2048
CLAIMED = "198.51.100.7"
USER, MACHINE = "10.79.1.1", "10.79.1.2"  # of the spoof bench
ENDS = (0, 1, 143, 255, -15)


def program(name):
    """Of the build that the tws under test is from."""
    return os.path.join(os.path.dirname(tws_e2e.TWS), "tests", "bench", name)


def load(*words):
    """In front of the words may be a list: how to get to another machine."""
    there, words = (words[0], words[1:]) if isinstance(words[0], list) else ([], words)
    done = subprocess.run([*there, program("bench_load"), *map(str, words)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@contextlib.contextmanager
def stage():
    """What it starts ends with the block, however."""
    made = Stage()
    made.setUp()
    try:
        yield made
    finally:
        made.doCleanups()


def start(made, port, name, argv):
    made.start(name, argv).expected = ENDS
    tws_e2e.wait_until(lambda: tws_e2e.is_listening(port), f"{name} listens")


def targets(made, *more):
    """Ports of an echo service and of one that pours."""
    ports = tws_e2e.free_port(), tws_e2e.free_port()
    start(made, ports[0], "echo", [program("bench_load"), "echo", str(ports[0])])
    start(made, ports[1], "pour", [program("bench_load"), "pour", str(ports[1]), *more])
    return ports


def figures(echo, pour, connections=8000):
    """What three loads give; each is the words in front of the load and the port it goes to."""
    return {"Gbit/s down": load(*pour[0], "take", pour[1], POUR_MIB)["gbit"],
            "new connections/s": load(*echo[0], "rate", echo[1], connections, 32)["per_second"],
            "round trips/s": 1e6 / load(*echo[0], "ping", echo[1], 4000)["p50_us"]}


def medians(rounds):
    return {name: median([each[name] for each in rounds]) for name in rounds[0]}


# ---- socks ----

CONNECTIONS = 16000  # in two seconds; half of the ports that there are


@contextlib.contextmanager
def machine_of_its_own():
    """For one contestant: each leaves thousands of ports in TIME_WAIT, and the next would look for free ones longer."""
    with contextlib.ExitStack() as stack:
        net = netns.Namespaces(stack, "ways")
        net.sysctl("ways", "net.ipv4.ip_local_port_range", "33000 65000")
        with net.inside("ways"), stage() as made:
            yield made


def through_forward(made, echo, pour):
    tunnel = made.tunnel(echo, pour, plain=True)
    return figures(([], tunnel.ports[0]), ([], tunnel.ports[1]), CONNECTIONS)


def through(port, echo, pour):
    """The same through a SOCKS server at `port`."""
    return figures((["socks", echo], port), (["socks", pour], port), CONNECTIONS)


def through_tws(made, echo, pour):
    port = tws_e2e.free_port()
    tunnel = made.tunnel(echo, pour, plain=True, start=False)
    tunnel.client_settings["forwards"].append({"kind": "socks", "listen": f"127.0.0.1:{port}"})
    tunnel.start_server()
    tunnel.start_client()
    tunnel.wait_links()
    return through(port, echo, pour)


def through_microsocks(made, echo, pour):
    port = tws_e2e.free_port()
    start(made, port, "microsocks", ["microsocks", "-i", "127.0.0.1", "-p", str(port)])
    return through(port, echo, pour)


def through_dante(made, echo, pour):
    port = tws_e2e.free_port()
    path = made.write("danted.conf", f"""
        logoutput: /dev/null
        internal: 127.0.0.1 port = {port}
        external: lo
        socksmethod: none
        clientmethod: none
        client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
        socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
        """, 0o644)
    start(made, port, "danted", ["danted", "-f", path, "-N", "1"])
    return through(port, echo, pour)


def socks(report, options):
    ways = {"tws, forward": through_forward, "tws, socks": through_tws, "microsocks": through_microsocks,
            "dante": through_dante}
    found = {name: [] for name in ways}
    for turn in range(options.rounds or 3):
        for name in list(ways)[::-1 if turn % 2 else 1]:
            with machine_of_its_own() as made:
                found[name].append(ways[name](made, *targets(made)))
    for name, each in found.items():
        for what, value in medians(each).items():
            report.line(f"{name}: {what}", value, "")
    for what in found["tws, forward"][0]:
        # A SOCKS connection begins with two more round trips; those who have no tunnel pay them too.
        for name, least in (("tws, socks", 0.8), ("microsocks", None), ("dante", None)):
            ratios = [one[what] / plain[what] for one, plain in zip(found[name], found["tws, forward"])]
            report.line(f"{what}: {name} beside tws, forward", median(ratios), "x", least=least)


# ---- transparent ----

def iperf(run, host, *more):
    """Gbit/s received."""
    text = run("iperf3", "-c", host, "-J", "-t", "3", *more).stdout
    report = json.loads(text)
    if "error" in report:
        raise AssertionError(report["error"])
    return report["end"]["sum_received"]["bits_per_second"] / 1e9


def serve_iperf(made, net, name):
    with net.inside(name):
        made.start("iperf3", ["iperf3", "-s"]).expected = ENDS


def caught_by_tws(made, net):
    key_file, key = made.keygen()
    keys = made.write("keys.yaml", tws_e2e.yaml({"users": [{"name": "u", "key": key, "allow": ["10.77.0.0/16"]}]}) + "\n")
    server = made.write("server.yaml", tws_e2e.yaml({"listen": ":7000", "keys_file": keys}) + "\n")
    client = made.write("client.yaml", tws_e2e.yaml({
        "server": f"ws://{catch_net.SERVER}:7000/tws", "key_file": key_file,
        "forwards": [{"kind": "transparent", "networks": ["10.77.0.0/16"]}]}) + "\n")
    with net.inside("server"):
        made.start_tws("server", "server", "--config", server).wait_ready()
    with net.inside("router"):
        process = made.start_tws("client", "client", "--config", client).wait_ready()
        process.wait_status(".*2 of 2 links up.*")


def caught_by_sshuttle(made, net):
    folder = made.folder
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
    os.rename(f"{folder}/user.pub", f"{folder}/authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    with net.inside("server"):
        made.start("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", "7022", "-h", f"{folder}/host",
                            "-o", f"AuthorizedKeysFile={folder}/authorized", "-o", "StrictModes=no", "-o", "UsePAM=no",
                            "-o", "PermitRootLogin=yes", "-o", "PidFile=none"]).expected = ENDS
    tws_e2e.wait_until(lambda: "7022" in net.run("server", "ss", "-Hltn").stdout, "sshd listens")
    ssh = (f"ssh -F /dev/null -i {folder}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile={folder}/known "
           "-o BatchMode=yes -o IdentitiesOnly=yes -p 7022")
    with net.inside("router"):
        made.start("sshuttle", ["sshuttle", "--method", "nft", "-e", ssh, "-r", f"root@{catch_net.SERVER}",
                                "10.77.0.0/16"]).expected = ENDS
    tws_e2e.wait_until(lambda: net.run("router", "curl", "-s", "--max-time", "2", "-o", "/dev/null",
                                       f"telnet://{catch_net.INSIDE}:5201").returncode in (0, 28), "sshuttle catches",
                       pause=0.5)


def transparent(report, options):
    found = {"tws": [], "sshuttle": []}
    for _ in range(options.rounds or 3):
        for name, begin in (("tws", caught_by_tws), ("sshuttle", caught_by_sshuttle)):
            with contextlib.ExitStack() as stack:
                made = stack.enter_context(stage())
                net = catch_net.Net(stack)
                stack.callback(made.doCleanups)
                serve_iperf(made, net, "inside")
                begin(made, net)
                tws_e2e.wait_until(lambda n=net: "5201" in n.run("inside", "ss", "-Hltn").stdout, "iperf3 listens")
                run = lambda *argv, n=net: n.run("router", *argv)  # noqa: E731
                found[name].append({"up": iperf(run, catch_net.INSIDE), "down": iperf(run, catch_net.INSIDE, "-R")})
    rounds = {name: medians(each) for name, each in found.items()}
    for what in ("up", "down"):
        for name in rounds:
            report.line(f"{name}: {what}", rounds[name][what], "Gbit/s")
        report.line(f"{what}: tws beside sshuttle", rounds["tws"][what] / rounds["sshuttle"][what], "x", least=5)


# ---- spoof ----

def spoofed_by_tws(made, port, echo, pour):
    allow = [f"127.0.0.1:{echo}", f"127.0.0.1:{pour}"]
    tunnel = made.tunnel(echo, pour, plain=True, start=False, allow=allow)
    tunnel.server_settings["egress"] = [{"to": allow, "spoof": True}]
    for forward, listen in zip(tunnel.client_settings["forwards"], port):
        forward.update(listen=f"{MACHINE}:{listen}", trusted=[f"{USER}/32"])
    tunnel.start_server()
    tunnel.start_client()
    tunnel.wait_links()


def spoofed_by_haproxy(made, port, echo, pour):
    lines = ["global", "  nbthread 1", "defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 1h",
             "  timeout server 1h"]
    for listen, target in zip(port, (echo, pour)):
        lines += [f"listen p{listen}", f"  bind {MACHINE}:{listen} accept-proxy", "  source 0.0.0.0 usesrc clientip",
                  f"  server s 127.0.0.1:{target}"]
    path = made.write("haproxy.cfg", "\n".join(lines) + "\n", 0o644)
    start(made, port[0], "haproxy", ["haproxy", "-db", "-q", "-f", path])


@contextlib.contextmanager
def user_and_machine():
    """A machine to which answers to the claimed address come back, and how to load it from another one. Both
    are fresh: a port that was bound, as that of a user, the kernel gives to no other connection for a minute."""
    with contextlib.ExitStack() as stack:
        net = netns.Namespaces(stack, "user", "ways")
        net.join("user", "veth-u", "ways", "veth-w", (f"{USER}/24", f"{MACHINE}/24"))
        with net.inside("ways"), stage() as made:
            netns.ip("route", "add", "local", "198.51.100.0/24", "dev", "lo")
            yield made, (["ip", "netns", "exec", net.name("user")], "to", MACHINE, "from", CLAIMED)


def spoof(report, options):
    """The poured connections end the bench if they come from anywhere but the claimed address."""
    found = {"tws": [], "haproxy": []}
    for _ in range(options.rounds or 3):
        for who, begin in (("tws", spoofed_by_tws), ("haproxy", spoofed_by_haproxy)):
            with user_and_machine() as (made, user):
                echo, pour = targets(made, CLAIMED)
                port = tws_e2e.free_port(), tws_e2e.free_port()
                begin(made, port, echo, pour)
                found[who].append(figures((user, port[0]), (user, port[1])))
    rounds = {who: medians(each) for who, each in found.items()}
    for what in rounds["tws"]:
        for who in rounds:
            report.line(f"{who}: {what}", rounds[who][what], "")
        ratios = [tws[what] / haproxy[what] for tws, haproxy in zip(found["tws"], found["haproxy"])]
        report.line(f"{what}: tws beside haproxy", median(ratios), "x", least=0.8)


# ---- udp ----

def udp(report, options):
    for size in (64, 1400):
        found = {"direct": [], "tws": []}
        for _ in range(options.rounds or 3):
            with stage() as made:
                echo = tws_e2e.free_port()
                made.start("echo", [program("bench_udp"), "echo", str(echo)]).expected = ENDS
                port = tws_e2e.free_port()
                tunnel = made.tunnel(echo, plain=True, start=False)
                tunnel.client_settings["forwards"] = [{"kind": "udp", "listen": f"127.0.0.1:{port}",
                                                       "remote": f"127.0.0.1:{echo}"}]
                tunnel.start_server()
                tunnel.start_client()
                tunnel.wait_links()
                for name, at in (("direct", echo), ("tws", port)):
                    done = subprocess.run([program("bench_udp"), "most", str(at), str(size), "1"], check=True,
                                          capture_output=True, text=True)
                    found[name].append(json.loads(done.stdout))
        for name, rounds in found.items():
            best = medians(rounds)
            report.line(f"{name}: {size} bytes, there and back", best["back_per_s"], "/s", rounds=rounds)
            report.line(f"{name}: lost at that rate", best["lost"] * 100, "%")
            report.line(f"{name}: p99 there and back at that rate", best["p99_us"] / 1000, "ms")


# ---- flood ----

def flooded(congestion, rounds):
    """{size: what each run gave}. The first only shows the tunnel what the uplink carries, and is left out."""
    found = {}
    with Site([{"rate": 20, "delay": 10}], sysctls={CONGESTION: congestion}) as site:
        echo, tunnel = site.target.port, site.tunnel
        with site.net.inside(site.net.server):
            site.stage.start("echo", [program("bench_udp"), "echo", str(echo)]).expected = ENDS
        tunnel.client.stop()
        tunnel.client_settings["forwards"].append({"kind": "udp", "listen": "127.0.0.1:7778", "remote": f"127.0.0.1:{echo}"})
        with site.net.inside(site.net.client):
            tunnel.start_client()
        tunnel.client.wait_told(r"STATUS=1 of 1 links? up.*")
        for size, rate in ((1400, 3500), (64, 60000)):
            for seconds in (4, *[5] * rounds):
                done = subprocess.run(["ip", "netns", "exec", site.net.client, program("bench_udp"), "flow", "7778", str(size),
                                       str(rate), str(seconds)], check=True, capture_output=True, text=True)
                found.setdefault(size, []).append(json.loads(done.stdout))
    return {size: runs[1:] for size, runs in found.items()}


def flood(report, options):
    allow("cubic")
    for congestion in ("bbr", "cubic"):
        for size, runs in flooded(congestion, options.rounds or 3).items():
            steady, what = medians(runs), f"{congestion}, {size} bytes"
            report.line(f"{what}: come back", steady["back_per_s"], "/s", runs=runs)
            report.line(f"{what}: p50 there and back", steady["p50_us"] / 1000, "ms")
            report.line(f"{what}: p99 there and back", steady["p99_us"] / 1000, "ms")


# ---- tun ----

def bring_up_tun(made, net):
    port = 7000
    key_file, key = made.keygen()
    keys = made.write("keys.yaml", tws_e2e.yaml({"users": [{"name": "u", "key": key, "allow": ["*"], "tun": ["pool"]}]}) + "\n")
    server = made.write("server.yaml", tws_e2e.yaml({
        "listen": f"*:{port}", "keys_file": keys,
        "tun": {"device": "tun-s", "address": ["10.9.0.1/24"]}}) + "\n")
    client = made.write("client.yaml", tws_e2e.yaml({
        "server": f"ws://10.80.0.1:{port}/tws", "key_file": key_file, "encrypt": "off",
        "forwards": [{"kind": "tun", "device": "tun-c"},
                     {"listen": "127.0.0.1:5201", "remote": f"{tun_net.INNER4}:5201"}]}) + "\n")
    with net.inside(net.server):
        made.start_tws("server", "server", "--config", server).wait_ready()
    with net.inside(net.clients[0]):
        made.start_tws("client", "client", "--config", client).wait_log("tun open")
    netns.ip("-n", net.clients[0], "route", "replace", "10.80.100.0/24", "dev", "tun-c")


def tun(report, options):
    found = {"tun": [], "forward": []}
    for _ in range(options.rounds or 3):
        with stage() as made:
            net = tun_net.Net(made)
            with net.inside(net.inner):
                made.start("iperf3", ["iperf3", "-s"]).expected = ENDS
            bring_up_tun(made, net)
            run = lambda *argv, n=net: n.run("client0", *argv)  # noqa: E731
            for name, host in (("tun", tun_net.INNER4), ("forward", "127.0.0.1")):
                found[name].append({"up": iperf(run, host), "down": iperf(run, host, "-R")})
    rounds = {name: medians(each) for name, each in found.items()}
    for what in ("up", "down"):
        for name in rounds:
            report.line(f"{name}: iperf3 {what}", rounds[name][what], "Gbit/s")
        report.line(f"{what}: tun beside the forward", rounds["tun"][what] / rounds["forward"][what], "x")


if __name__ == "__main__":
    if os.getuid() != 0:
        sys.exit("ways.py needs root, for network namespaces")
    main(__doc__, {"socks": socks, "transparent": transparent, "spoof": spoof, "udp": udp, "flood": flood, "tun": tun})
