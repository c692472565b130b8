#!/usr/bin/env python3
"""compare.py - measures the contestants one beside the other, round by round, since figures of runs a
minute apart are not comparable; see compare.sh."""
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import time

from contestants import ALL, Haproxy, Stage
from tws_e2e import ROOT, free_port, is_listening, wait_until

LOAD = os.path.join(ROOT, "build", "release", "tests", "bench", "bench_load")
RESULTS = os.path.join(ROOT, "build", "bench", "results.jsonl")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
TICKS = os.sysconf("SC_CLK_TCK")
IPERF, HTTP, ECHO = range(3)
# A relay needs two descriptors for each connection: where the limit is too low, a little less than
# 10,000 connections are held, and the figure scaled.
IDLE = min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100) // 2)

# (key, heading, format, better is more)
COLUMNS = [
    ("up", "up Gbit/s", "{:.2f}", True), ("down", "down Gbit/s", "{:.2f}", True), ("up8", "8 up Gbit/s", "{:.2f}", True),
    ("cpu_client", "CPU s/GB client", "{:.2f}", False), ("cpu_server", "CPU s/GB server", "{:.2f}", False),
    ("http1", "req/s, 1 conn.", "{:.0f}", True), ("http8", "8 conn.", "{:.0f}", True),
    ("http64", "64 conn.", "{:.0f}", True), ("http512", "512 conn.", "{:.0f}", True),
    ("rate", "new conn./s", "{:.0f}", True),
    ("ping_p50", "ping p50 us", "{:.0f}", False), ("ping_p99", "p99", "{:.0f}", False),
    ("busy_p50", "ping in bulk p50 us", "{:.0f}", False), ("busy_p99", "p99", "{:.0f}", False),
    ("rss0_client", "RSS MB, idle client", "{:.1f}", False), ("rss0_server", "server", "{:.1f}", False),
    ("rss1000_client", "1,000 ch. client", "{:.1f}", False), ("rss1000_server", "server", "{:.1f}", False),
    ("rss10000_client", "10,000 ch. client", "{:.1f}", False), ("rss10000_server", "server", "{:.1f}", False),
]


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout


def cpu(pids):
    """CPU seconds a set of processes has used."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICKS


def resident(pids):
    """MB resident, of all processes of a side together."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                found = re.search(r"VmRSS:\s+(\d+)", file.read())
            total += int(found.group(1)) if found else 0
        except OSError:
            pass
    return total / 1024


class Targets:
    """iperf3, a web server with a 612-byte page, an echo service."""

    def __init__(self):
        self.stage = Stage()
        self.stage.setUp()
        self.ports = [free_port() for _ in range(3)]
        folder = self.stage.folder
        self.stage.write("index.html", "x" * 612, 0o644)
        web = self.stage.write("web.conf", f"""
            {"user root;" if os.getuid() == 0 else ""}
            daemon off; pid {folder}/pid; worker_processes 1; worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
            fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            open_file_cache max=10; server {{ listen 127.0.0.1:{self.ports[HTTP]} backlog=4096; root {folder}; }} }}""")
        self.iperf3 = self.stage.start("iperf3", ["iperf3", "-s", "--forceflush", "-B", "127.0.0.1", "-p", str(self.ports[IPERF])])
        self.stage.start("web", ["nginx", "-e", "stderr", "-p", folder, "-c", web])
        self.stage.start("echo", [LOAD, "echo", str(self.ports[ECHO])])
        for port in self.ports:
            wait_until(lambda p=port: is_listening(p), "a target listens")

    def wait_iperf3(self):
        """Until iperf3 is ready for another test; it is busy for a moment after each."""
        wait_until(lambda: re.search(r"Server listening on \d+ \(test #\d+\)\s+-+\s*\Z", self.iperf3.log), "iperf3 is ready")

    def stop(self):
        for process in self.stage.processes:
            process.expected = (0, 1, -signal.SIGTERM)
        self.stage.doCleanups()


def iperf(targets, port, *more):
    """(Gbit/s received, GB moved)."""
    targets.wait_iperf3()
    report = json.loads(output("iperf3", "-J", "-c", "127.0.0.1", "-p", str(port), "-t", str(SECONDS), "-O", "0.5", *more))
    received = report["end"]["sum_received"]
    return received["bits_per_second"] / 1e9, received["bytes"] / 1e9


def requests(port, connections):
    threads = "1" if connections == 1 else "2"
    text = output("wrk", "-t", threads, "-c", str(connections), "-d", f"{max(1, round(SECONDS))}s",
                  f"http://127.0.0.1:{port}/index.html")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def measure_bulk(contestant, targets, figures):
    sides = {side: contestant.pids(side) for side in ("client", "server")}
    before = {side: cpu(pids) for side, pids in sides.items()}
    moved = 0
    for key, more in (("up", []), ("down", ["-R"]), ("up8", ["-P", "8"])):
        figures[key], gigabytes = iperf(targets, contestant.ports[IPERF], *more)
        moved += gigabytes * (SECONDS + 0.5) / SECONDS
    for side, pids in sides.items():
        if pids:
            figures[f"cpu_{side}"] = (cpu(pids) - before[side]) / moved


def measure_latency(contestant, targets, figures):
    port = str(contestant.ports[ECHO])
    idle = json.loads(output(LOAD, "ping", port, "5000"))
    figures["ping_p50"], figures["ping_p99"] = idle["p50_us"], idle["p99_us"]
    targets.wait_iperf3()
    with subprocess.Popen(["iperf3", "-c", "127.0.0.1", "-p", str(contestant.ports[IPERF]), "-t", "600"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bulk:
        try:
            time.sleep(0.5)  # the transfer's slow start is not what is measured
            busy = json.loads(output(LOAD, "ping", port, "1000"))
            if bulk.poll() is not None:
                raise ValueError("the bulk transfer ended before the pings")
        finally:
            bulk.terminate()
    figures["busy_p50"], figures["busy_p99"] = busy["p50_us"], busy["p99_us"]


def measure(contestant, targets):
    figures = {}
    measure_bulk(contestant, targets, figures)
    for connections in (1, 8, 64, 512):
        figures[f"http{connections}"] = requests(contestant.ports[HTTP], connections)
    figures["rate"] = json.loads(output(LOAD, "rate", str(contestant.ports[ECHO]), "10000", "32"))["per_second"]
    measure_latency(contestant, targets, figures)
    return figures


def measure_memory(contestant, _targets):
    """Resident memory of a fresh pair with 0, 1,000 and 10,000 idle connections."""
    figures = {}
    for name, count in (("rss0", 0), ("rss1000", 1000), ("rss10000", IDLE)):
        holder = None
        if count:
            holder = subprocess.Popen(["timeout", "60", LOAD, "idle", str(contestant.ports[ECHO]), str(count)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if not holder.stdout.readline():
                holder.wait()
                print(f"    {contestant.name}: cannot hold {count} connections", file=sys.stderr)
                return figures
        for side in ("client", "server"):
            if contestant.pids(side):
                now, base = resident(contestant.pids(side)), figures.get(f"rss0_{side}", 0)
                figures[f"{name}_{side}"] = base + (now - base) * (10000 / count if name == "rss10000" else 1)
        if holder:
            holder.communicate("\n")
    return figures


def record(file, **what):
    file.write(json.dumps(what) + "\n")
    file.flush()


def attempt(contestant, targets, work, say):
    """Runs one measurement of one contestant; a contestant that cannot do it is named, not fatal."""
    running = None
    try:
        running = contestant(targets.ports)
        return work(running, targets)
    except (AssertionError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        say(f"    {contestant.name}: {error}")
        return {}
    finally:
        if running is not None:
            running.stop()


def table(medians):
    """Rows of figures, each with its ratio to the haproxy relays."""
    base = medians.get(Haproxy.name, {})
    names = list(medians)
    yield "| | " + " | ".join(names) + " |"
    yield "| --- |" + " --- |" * len(names)
    for key, heading, form, _ in COLUMNS:
        cells = []
        for name in names:
            value = medians[name].get(key)
            if value is None:
                cells.append("")
            elif base.get(key) and name != Haproxy.name:
                cells.append(f"{form.format(value)} ({value / base[key]:.2f})")
            else:
                cells.append(form.format(value))
        yield f"| {heading} | " + " | ".join(cells) + " |"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    return f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def chosen(words):
    for contestant in ALL:
        if words and not any(word in (contestant.__name__.lower(), contestant.name) for word in words):
            continue
        missing = contestant.missing()
        if missing:
            print(f"left out: {contestant.name} ({', '.join(missing)} not installed)")
        else:
            yield contestant


def main():
    contestants = list(chosen(sys.argv[1:]))
    commit = output("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    os.makedirs(os.path.dirname(RESULTS), exist_ok=True)
    figures = {contestant.name: [] for contestant in contestants}
    targets = Targets()
    try:
        with open(RESULTS, "a", encoding="utf-8") as file:
            for turn in range(ROUNDS):
                for contestant in contestants:
                    print(f"round {turn + 1} of {ROUNDS}: {contestant.name}", file=sys.stderr)
                    got = attempt(contestant, targets, measure, print)
                    if turn == 0 and contestant.missing() == []:
                        got.update(attempt(contestant, targets, measure_memory, print))
                    figures[contestant.name].append(got)
                    record(file, commit=commit, machine=machine(), contestant=contestant.name, round=turn + 1, **got)
            medians = {name: {key: statistics.median(got[key] for got in rounds if key in got)
                              for key, *_ in COLUMNS if any(key in got for got in rounds)}
                       for name, rounds in figures.items()}
            for name, values in medians.items():
                record(file, commit=commit, machine=machine(), contestant=name, median_of=ROUNDS, **values)
    finally:
        targets.stop()
    print(f"\nMedians of {ROUNDS} rounds of {SECONDS:g} s, in brackets the ratio to {Haproxy.name}; {machine()}, {commit}\n")
    print("\n".join(table(medians)))


if __name__ == "__main__":
    main()
