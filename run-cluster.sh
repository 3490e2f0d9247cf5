#!/usr/bin/env bash
# A cluster on this machine, to look at: an etcd and N nodes. "./run cluster [N] [OPTION...]" builds the program and comes here:
#
#   run-cluster.sh PROGRAM [N] [OPTION...]
#
# Node i listens for OTLP/gRPC on 4317, for OTLP/HTTP on 4318, for other nodes on 4320 and for questions on 8080, each + 10 x (i - 1), all on
# 127.0.0.1. Further options go to every node. Everything it writes is in one temporary folder, which goes when all has ended well.
set -euo pipefail

program=$1
shift
count=3
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  count=$1
  shift
fi
if [ "$count" -lt 1 ] || [ "$count" -gt 9 ]; then
  echo "a cluster on one machine has 1 to 9 nodes here, not $count" >&2
  exit 2
fi

folder="" etcd_pid="" pids=()

fail() {
  echo "$1" >&2
  if [ -f "${2:-}" ]; then tail -n 20 "$2" >&2; fi
  exit 1
}

alive() { [ -n "${1:-}" ] && kill -0 "$1" 2>/dev/null; }

# Sends SIGTERM, and waits for the end; the exit code is the process's.
end() {
  local status=0
  kill -TERM "$1" 2>/dev/null || true
  while alive "$1"; do
    status=0
    wait "$1" || status=$?
  done
  return "$status"
}

# The nodes one by one, the last first, so that each moves what it holds to those that are left; then etcd.
stop() {
  local status=$? i
  trap - EXIT
  trap 'echo "ending at once"; for pid in "${pids[@]}" "$etcd_pid"; do alive "$pid" && kill -KILL "$pid"; done; status=1' INT TERM
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    if alive "${pids[i]}"; then
      echo "stopping node-$((i + 1))... (Ctrl-C ends all at once)"
      end "${pids[i]}" || {
        echo "node-$((i + 1)) ended with code $?, see $folder/node-$((i + 1)).log"
        status=1
      }
    fi
  done
  if alive "$etcd_pid"; then
    echo "stopping etcd..."
    end "$etcd_pid" || true
  fi
  if [ -n "$folder" ]; then
    rm -rf "$folder/etcd"
    if [ "$status" -eq 0 ]; then rm -rf "$folder"; else echo "logs are in $folder"; fi
  fi
  exit "$status"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM

# The process is the leader of a group of its own: Ctrl-C reaches this script only, which ends the others in order.
start() {
  local log=$1
  shift
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  set +m
  started=$!
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

need_etcd() {
  if command -v etcd >/dev/null; then return; fi
  if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; }; then
    fail "there is no etcd, and no way to install one here: put etcd (3.4 or later) into the PATH"
  fi
  echo "installing Debian's etcd-server..." >&2
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends etcd-server)
  as_root "${install[@]}" >"$folder/apt.log" 2>&1 \
    || { as_root apt-get update && as_root "${install[@]}"; } >"$folder/apt.log" 2>&1 \
    || fail "etcd-server could not be installed: put etcd (3.4 or later) into the PATH" "$folder/apt.log"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port=$1
  while listens "$port"; do port=$((port + 1)); done
  echo "$port"
}

start_etcd() {
  local port peer
  port=$(free_port 23790)
  peer=$(free_port $((port + 1)))
  store=127.0.0.1:$port
  if [ "$(uname -m)" = aarch64 ]; then export ETCD_UNSUPPORTED_ARCH=arm64; fi
  start "$folder/etcd.log" etcd --name local --data-dir "$folder/etcd" \
    --listen-client-urls "http://$store" --advertise-client-urls "http://$store" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "local=http://127.0.0.1:$peer"
  etcd_pid=$started
  until listens "$port"; do
    alive "$etcd_pid" || fail "etcd did not start:" "$folder/etcd.log"
    sleep 0.1
  done
}

start_node() {
  local number=$1 step=$((10 * ($1 - 1)))
  shift
  start "$folder/node-$number.log" dotnet "$program" run \
    --cluster "etcd://$store" --name local --node-id "node-$number" --advertise 127.0.0.1 --peer "127.0.0.1:$((4320 + step))" \
    --otlp-grpc "127.0.0.1:$((4317 + step))" --otlp-http "127.0.0.1:$((4318 + step))" --admin "127.0.0.1:$((8080 + step))" "$@"
  pids+=("$started")
}

# A node says "ready" when it takes spans.
wait_ready() {
  local number=$1 log=$folder/node-$1.log
  for ((tenths = 0; tenths < 600; tenths++)); do
    if grep -qx ready "$log"; then return; fi
    alive "${pids[number - 1]}" || fail "node-$number did not start:" "$log"
    sleep 0.1
  done
  fail "node-$number is not ready after a minute:" "$log"
}

ask() { dotnet "$program" cluster "$@" --admin http://127.0.0.1:8080; }

# Until every shard has an owner, and a copy if there is a second node, and none moves; then who holds what.
show() {
  echo "spreading the shards..." >&2
  for ((tries = 0; tries < 60; tries++)); do
    if { ask status >"$folder/status.txt" 2>&1 && grep -q "^every shard has" "$folder/status.txt"; } || [ "$count" -eq 1 ]; then break; fi
    sleep 1
  done
  cat "$folder/status.txt"
  { ask shards 2>&1 || true; } | sed -n '/^[0-9]* shards*: /,$p'
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/actorsampling-cluster.XXXXXX")
need_etcd
echo "starting etcd and $count nodes..." >&2
start_etcd
start_node 1 --demo "$@"
for ((i = 2; i <= count; i++)); do start_node "$i" "$@"; done
for ((i = 1; i <= count; i++)); do wait_ready "$i"; done

printf '%-7s  http://%-15s  pid %-7s  %s\n' etcd "$store" "$etcd_pid" "$folder/etcd.log"
for ((i = 1; i <= count; i++)); do
  step=$((10 * (i - 1)))
  printf '%-7s  http://%-15s  pid %-7s  %s\n' "node-$i" "127.0.0.1:$((8080 + step))" "${pids[i - 1]}" "$folder/node-$i.log"
done
echo
show
cat <<END

To send traces, set in the SDK's environment, with the ports of any node (4318, 4328, ... and 4317, 4327, ...):
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc

Kept traces:  tail -f $folder/node-*.log
Ask it:       ./run cluster status | shards | drain node-2
Ctrl-C stops all of it.
END

# A node that is killed is gone, and the others go on: that is worth a try.
gone=()
while :; do
  left=0
  for ((i = 1; i <= count; i++)); do
    if alive "${pids[i - 1]}"; then
      left=$((left + 1))
    elif [ -z "${gone[i]:-}" ]; then
      gone[i]=1
      echo "node-$i has ended, see $folder/node-$i.log"
    fi
  done
  alive "$etcd_pid" || fail "etcd has ended:" "$folder/etcd.log"
  if [ "$left" -eq 0 ]; then fail "no node is left"; fi
  sleep 0.5
done
