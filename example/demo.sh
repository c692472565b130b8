#!/bin/sh
# demo.sh - the whole thing on this machine, in a minute: builds tws, puts `tws server` behind an nginx
# with a certificate of its own, starts `tws client`, and moves real traffic both ways through wss.
# Everything it starts listens on loopback only and ends with it.
#
# DEMO_SECONDS (5): how long each transfer runs.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/support/packages.sh"
seconds=${DEMO_SECONDS:-5}
build=$root/build/release
tws=$build/tws
pids=
tests=0

say() {
  printf '\n== %s\n' "$*"
}

# Ends what was started, newest first, by process id; shows the logs if something went wrong.
clean_up() {
  status=$?
  trap - EXIT INT TERM
  for pid in $pids; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in $pids; do
    wait "$pid" 2>/dev/null || true
  done
  if [ "$status" -ne 0 ] && [ -d "${dir:-}" ]; then
    echo "demo: failed; the last lines of the logs:" >&2
    tail -n 20 "$dir"/*.log >&2
  fi
  rm -rf "${dir:-}"
  exit "$status"
}

# start NAME COMMAND...: in the background, its output in a log.
start() {
  name=$1
  shift
  "$@" >"$dir/$name.log" 2>&1 </dev/null &
  pids="$! $pids"
}

# Six free ports, below those the kernel gives to outgoing connections.
free_ports() {
  python3 -c '
import random, socket
free = []
while len(free) < 6:
    port = random.randrange(10000, 32000)
    try:
        free.append(socket.create_server(("127.0.0.1", port)))
    except OSError:
        pass
print(*(s.getsockname()[1] for s in free))'
}

# until_true WHAT COMMAND...: asks ten times a second, for ten seconds.
until_true() {
  what=$1
  shift
  tries=100
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      echo "demo: $what did not happen within 10 s" >&2
      return 1
    fi
    sleep 0.1
  done
}

listens() {
  [ -n "$(ss -Hltn "sport = :$1")" ]
}

links() {
  ss -Htn state established "dport = :$port_tls"
}

links_are_up() {
  [ "$(links | wc -l)" -ge 2 ] && python3 "$root/example/ping.py" ping "$port_ping_local" 1
}

# shows what iperf3's report says at its end.
throughput() {
  sed -n 's/.* \([0-9.]* [KMG]bits\/sec\).*receiver.*/\1/p' "$1" | tail -n 1
}

# begin_transfer OPTIONS...: an iperf3 run in the background, once its server is ready for another.
begin_transfer() {
  tests=$((tests + 1))
  until_true "iperf3 ready again" grep -q "listening on $port_iperf (test #$tests)" "$dir/iperf3.log"
  iperf3 --forceflush -c 127.0.0.1 -p "$port_iperf_local" -t "$seconds" "$@" >"$dir/iperf3-client.log" 2>&1 &
  running=$!
}

transfer() {
  begin_transfer "$@"
  wait "$running"
}

make_configuration() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$dir/privkey.pem" -out "$dir/fullchain.pem" 2>/dev/null

  sed -e "/listen \[::\]/d" -e "s/listen 443/listen 127.0.0.1:$port_tls/" -e "s/127.0.0.1:5202/127.0.0.1:$port_server/" \
    -e "s/server_name .*/server_name localhost;/" -e "s,/etc/ssl/tws/,$dir/," \
    "$root/example/nginx.conf" >"$dir/site.conf"
  cat >"$dir/nginx.conf" <<EOF
$([ "$(id -u)" -ne 0 ] || echo "user root;")
daemon off;
pid $dir/nginx.pid;
worker_processes 1;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    include $dir/site.conf;
}
EOF

  "$tws" keygen -o "$dir/demo.key" -n demo >"$dir/stanza"
  {
    echo "users:"
    sed -n "s/allow: .*/allow: [\"127.0.0.1:$port_iperf\", \"127.0.0.1:$port_ping\"]/; /^ /p" "$dir/stanza"
  } >"$dir/keys.yaml"
  chmod 600 "$dir/keys.yaml"
  cat >"$dir/server.yaml" <<EOF
listen: 127.0.0.1:$port_server
keys_file: $dir/keys.yaml
EOF
  cat >"$dir/client.yaml" <<EOF
server: wss://localhost:$port_tls/tws
ca_file: $dir/fullchain.pem
key_file: $dir/demo.key
connections: 2
forwards:
  - listen: 127.0.0.1:$port_iperf_local
    remote: 127.0.0.1:$port_iperf
  - listen: 127.0.0.1:$port_ping_local
    remote: 127.0.0.1:$port_ping
EOF
}

start_everything() {
  start nginx nginx -e stderr -p "$dir" -c "$dir/nginx.conf"
  start iperf3 iperf3 -s --forceflush -B 127.0.0.1 -p "$port_iperf"
  start echo python3 "$root/example/ping.py" echo "$port_ping"
  start server "$tws" server --config "$dir/server.yaml"
  until_true "nginx listening" listens "$port_tls"
  until_true "the server listening" listens "$port_server"
  until_true "iperf3 listening" listens "$port_iperf"
  until_true "the echo service listening" listens "$port_ping"
  start client "$tws" client --config "$dir/client.yaml"
  until_true "a ping through two links" links_are_up
}

# Cuts one link in the middle of a transfer. Needs root and a kernel that can (INET_DIAG_DESTROY).
cut_a_link() {
  say "A link is cut while data flows (ss -K)"
  begin_transfer
  until_true "traffic" grep -q "sec.*bits/sec" "$dir/iperf3-client.log"
  local_port=$(links | awk '{ n = split($3, part, ":"); print part[n]; exit }')
  ss -K -tn "sport = :$local_port" "dport = :$port_tls" >/dev/null 2>&1 || true
  if links | grep -q ":$local_port "; then
    wait "$running" || true
    echo "this kernel, or a user who is not root, cannot cut connections: left out"
    return 0
  fi
  if wait "$running"; then
    echo "link from port $local_port was cut; the transfer went on to its end"
  else
    echo "link from port $local_port was cut, and the transfer ended with it"
    return 1
  fi
  until_true "a new link in its place" links_are_up
}

# What the tests have built already is not built again with other flags.
build_program() {
  cd "$root"
  [ -f "$build/CMakeCache.txt" ] || cmake --preset release -DTWS_TESTS=OFF
  cmake --build --preset release -j "$(nproc)" --target tws
}

main() {
  say "Packages"
  need_packages $build_packages git python3 nginx openssl iperf3 iproute2 ca-certificates
  say "Build"
  (build_program) >"$dir/build.log" 2>&1
  "$tws" --version

  # shellcheck disable=SC2046 # one word for each port
  set -- $(free_ports)
  port_tls=$1 port_server=$2 port_iperf=$3 port_ping=$4 port_iperf_local=$5 port_ping_local=$6
  make_configuration
  "$tws" check "$dir/server.yaml"
  "$tws" check "$dir/client.yaml"
  say "nginx (wss), tws server, tws client, iperf3"
  start_everything
  echo "iperf3 -c -> 127.0.0.1:$port_iperf_local -> tws client -> wss://localhost:$port_tls/tws -> nginx -> tws server -> 127.0.0.1:$port_iperf"

  say "Throughput, $seconds s each"
  transfer
  echo "upload:   $(throughput "$dir/iperf3-client.log")"
  transfer -R
  echo "download: $(throughput "$dir/iperf3-client.log")"
  transfer --bidir
  echo "both:     $(throughput "$dir/iperf3-client.log") in each direction"

  say "Latency"
  echo "idle: $(python3 "$root/example/ping.py" ping "$port_ping_local" 500)"
  begin_transfer
  echo "busy: $(python3 "$root/example/ping.py" ping "$port_ping_local" 500)"
  wait "$running"

  cut_a_link

  say "Links, as the kernel sees them"
  links
  say "What the client wrote"
  cat "$dir/client.log"
  say "What the server wrote, the last ten lines"
  tail -n 10 "$dir/server.log"
  say "Done; ending what was started"
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tws-demo.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
main
