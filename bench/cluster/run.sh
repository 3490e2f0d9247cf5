#!/usr/bin/env bash
# Measures an etcd and three nodes that share one core; generator and recording sink share another. See ../README.md.
#   ./run.sh                     every scenario
#   ./run.sh half crash          these only
# Scenarios: capacity half hand-off crash. All but the first need the capacity that it found, or CAPACITY=<spans a second>.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=bench/processes.sh
source "$here/../processes.sh"

NODES=${NODES:-3}
NODE_CPU=${NODE_CPU:-0}         # of all nodes and etcd; "0-5" where there are more
LOAD_CPU=${LOAD_CPU:-1}
WARM_UP=${WARM_UP:-30}          # seconds of load before the measured window: until then the JIT compiler is part of what is measured
WINDOW=${WINDOW:-20}            # seconds of the measured window
CONNECTIONS=${CONNECTIONS:-$((4 * NODES))}
IN_FLIGHT=${IN_FLIGHT:-$((16 * NODES))} # for each gateway as many as a single node gets
RESULTS=${RESULTS:-"$here/results"}
CAPACITY=${CAPACITY:-}
SEED=${SEED:-20260101}
LEASE_TTL=${LEASE_TTL:-5s}
REPLICAS=${REPLICAS:-1}
SHARDS=${SHARDS:-128}
export DECISION_WAIT=${DECISION_WAIT:-5} NUM_TRACES=${NUM_TRACES:-1000000} EXPORT_COMPRESSION=none

node=$root/src/Cluster.Node/bin/Release/net10.0/actorsampling.dll
loadgen="dotnet $root/bench/Cluster.LoadGenerator/bin/Release/net10.0/loadgen.dll"
store=127.0.0.1:14379
etcd_pid=
sink_pid=
node_pids=()

stop_cluster() {
    local pid
    for pid in "${node_pids[@]}"; do stop "$pid" -KILL; done
    node_pids=()
    stop "$etcd_pid" -KILL
    etcd_pid=
}
trap 'stop_cluster; stop "$sink_pid"' EXIT

# Ports of node i: doors 14407 and 14408, peers 14409, admin 14400, each + 10 x (i - 1).
grpc() { echo $((14397 + 10 * $1)); }
admin() { echo $((14390 + 10 * $1)); }

metric() { # node name
    curl -s "http://127.0.0.1:$(admin "$1")/metrics" | awk -v name="$2" '$1 == name || index($1, name "{") == 1 { sum += $2 } END { printf "%.0f", sum }'
}

start_cluster() { # scenario
    local i
    rm -rf "$RESULTS/etcd"
    if [[ $(uname -m) == aarch64 ]]; then export ETCD_UNSUPPORTED_ARCH=arm64; fi
    taskset -c "$NODE_CPU" etcd --name bench --data-dir "$RESULTS/etcd" \
        --listen-client-urls "http://$store" --advertise-client-urls "http://$store" --listen-peer-urls http://127.0.0.1:14380 \
        --initial-advertise-peer-urls http://127.0.0.1:14380 --initial-cluster bench=http://127.0.0.1:14380 >"$RESULTS/$1.etcd.log" 2>&1 &
    etcd_pid=$!
    wait_for_port "$etcd_pid" 14379 "$RESULTS/$1.etcd.log"
    {
        cat "$here/../single-node/tail-sampling.yaml"
        printf '\ncluster:\n  name: bench\n  shards: %s\n  replicas: %s\n  lease_ttl: %s\n  store: {etcd: {endpoints: ["http://%s"]}}\n' "$SHARDS" "$REPLICAS" "$LEASE_TTL" "$store"
    } >"$RESULTS/node.yaml"
    for ((i = 1; i <= NODES; i++)); do
        taskset -c "$NODE_CPU" dotnet "$node" run --config "$RESULTS/node.yaml" --node-id "node-$i" \
            --otlp-grpc "127.0.0.1:$(grpc "$i")" --otlp-http "127.0.0.1:$(($(grpc "$i") + 1))" \
            --advertise 127.0.0.1 --peer "127.0.0.1:$(($(grpc "$i") + 2))" --admin "127.0.0.1:$(admin "$i")" >"$RESULTS/$1.node-$i.log" 2>&1 &
        node_pids+=($!)
    done
    for ((i = 1; i <= NODES; i++)); do
        wait_for_port "${node_pids[i - 1]}" "$(grpc "$i")" "$RESULTS/$1.node-$i.log"
    done
    wait_until_whole
}

# Every shard has an owner and its copies, and nothing moves.
wait_until_whole() {
    local tries
    for ((tries = 0; tries < 120; tries++)); do
        if [[ $(metric 1 actorsampling_cluster_members) == "$NODES" && $(metric 1 actorsampling_cluster_unowned_shards) == 0 &&
            $(metric 1 actorsampling_cluster_uncopied_shards) == 0 && $(metric 1 actorsampling_cluster_moving_shards) == 0 ]]; then
            return 0
        fi
        sleep 0.5
    done
    echo "the cluster is not whole after a minute: curl http://127.0.0.1:$(admin 1)/api/cluster" >&2
    return 1
}

measure() { # scenario gateways options...: loads the gateways 1 to N
    local name=$1 gateways=$2 i arguments=()
    shift 2
    for ((i = 1; i <= NODES; i++)); do
        if ((i <= gateways)); then arguments+=(--target "grpc://127.0.0.1:$(grpc "$i")" --metrics "http://127.0.0.1:$(admin "$i")/metrics"); fi
        if ((gateways == NODES)); then arguments+=(--observe-pid "${node_pids[i - 1]}"); fi
    done
    $loadgen send --scenario "$name" "${arguments[@]}" --connections "$CONNECTIONS" --in-flight "$IN_FLIGHT" --pin "$LOAD_CPU" --seed "$SEED" \
        --warm-up "$WARM_UP" --seconds "$WINDOW" --decision-wait "$DECISION_WAIT" --sink http://127.0.0.1:14329 --json "$RESULTS/$name.json" \
        "$@" >"$RESULTS/$name.txt" || echo "$name: see $RESULTS/$name.txt" >&2
    tail -1 "$RESULTS/$name.txt"
}

half() {
    if [[ -z "$CAPACITY" && -f "$RESULTS/capacity.json" ]]; then
        CAPACITY=$(field "$RESULTS/capacity.json" SpansPerSecond)
    fi
    if [[ -z "$CAPACITY" ]]; then
        echo "run the scenario capacity first, or set CAPACITY" >&2
        exit 2
    fi
    awk -v capacity="$CAPACITY" 'BEGIN { printf "%d", capacity / 2 }'
}

# Spans that wait on each node, looked at once a second for half the window: most on one over the mean.
imbalance() {
    local i second
    for ((second = 0; second < WINDOW / 2; second++)); do
        for ((i = 1; i <= NODES; i++)); do metric "$i" actorsampling_pending_spans; printf ' '; done
        echo
        sleep 1
    done | awk '{ for (i = 1; i <= NF; i++) { sum[i] += $i; all += $i; if (i > n) n = i } }
        END { for (i in sum) if (sum[i] > most) most = sum[i]; if (all > 0) printf "imbalance: %.3f\n", most * n / all }'
}

milliseconds() { date +%s%3N; }

run_capacity() {
    start_cluster capacity
    measure capacity "$NODES"
    echo "capacity: $(field "$RESULTS/capacity.json" SpansPerSecond) spans/s, $(field "$RESULTS/capacity.json" CpuWindow) us of all nodes a span"
}

run_half() {
    local rate
    rate=$(half)
    start_cluster half
    measure half "$NODES" --rate "$rate" &
    sleep $((WARM_UP + WINDOW / 4))
    imbalance
    wait $!
    echo "half load: p50 $(field "$RESULTS/half.json" AckP50) ms, p99 $(field "$RESULTS/half.json" AckP99) ms"
}

# The last node's shards are moved to the others within the window, which is short so that they are most of it.
run_hand-off() {
    local rate start
    rate=$(half)
    start_cluster hand-off
    WINDOW=${HAND_OFF_WINDOW:-6} measure hand-off $((NODES - 1)) --rate "$rate" &
    local load=$!
    sleep $((WARM_UP + ${HAND_OFF_WINDOW:-6} / 2))
    start=$(milliseconds)
    curl -s -X POST "http://127.0.0.1:$(admin 1)/api/drain?node=node-$NODES&wait=60" >"$RESULTS/hand-off.drain.json"
    echo "hand-off: $(($(milliseconds) - start)) ms for a third of the shards: $(tr -d ' \n' <"$RESULTS/hand-off.drain.json")"
    wait $load
    echo "hand-off: p50 $(field "$RESULTS/hand-off.json" AckP50) ms, p99 $(field "$RESULTS/hand-off.json" AckP99) ms"
}

# A request whose shard lost its owner is held until another serves it: the longest acknowledgement is the time to serve again.
run_crash() {
    local rate
    rate=$(half)
    start_cluster crash
    measure crash $((NODES - 1)) --rate "$rate" &
    local load=$!
    sleep $((WARM_UP + WINDOW / 4))
    stop "${node_pids[NODES - 1]}" -KILL
    wait $load
    echo "crash: longest acknowledgement $(field "$RESULTS/crash.json" AckMax) ms, refused $(field "$RESULTS/crash.json" Refused)"
}

mkdir -p "$RESULTS"
if ! command -v etcd >/dev/null; then
    echo "there is no etcd: put etcd 3.4 or later into the PATH" >&2
    exit 2
fi
build "$RESULTS/build.log" "$root/src/Cluster.Node" "$root/bench/Cluster.LoadGenerator"

taskset -c "$LOAD_CPU" $loadgen sink >"$RESULTS/sink.log" 2>&1 &
sink_pid=$!
wait_for_port "$sink_pid" 14329 "$RESULTS/sink.log"

$loadgen head
for scenario in "${@:-capacity half hand-off crash}"; do
    # With no arguments the default is one word of four.
    for name in $scenario; do
        case $name in
            capacity | half | hand-off | crash) "run_$name" ;;
            *) echo "no scenario $name" >&2; exit 2 ;;
        esac
        stop_cluster
    done
done
