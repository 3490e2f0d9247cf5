#!/usr/bin/env bash
# Measures one node pinned to one core; generator and recording sink share another. See ../README.md.
#   ./run.sh                     every scenario
#   ./run.sh grpc open-50k       these only
# Scenarios: grpc http gzip open-50k open-80 ceiling. The last two need the capacity that "grpc" found, or CAPACITY=<spans a second>.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=bench/processes.sh
source "$here/../processes.sh"

# What to measure. The configuration file is appended. The command must become the node's process (exec), not its parent.
NODE_COMMAND=${NODE_COMMAND:-"dotnet $root/src/Cluster.Node/bin/Release/net10.0/actorsampling.dll run --admin 127.0.0.1:14380 --config"}
METRICS=${METRICS:-http://127.0.0.1:14380/metrics}
NODE_CPU=${NODE_CPU:-0}
LOAD_CPU=${LOAD_CPU:-1}
WARM_UP=${WARM_UP:-12}          # seconds of load before the measured window: until then the JIT compiler is part of what is measured
WINDOW=${WINDOW:-20}            # seconds of the measured window
RESULTS=${RESULTS:-"$here/results"}
CAPACITY=${CAPACITY:-}
SEED=${SEED:-20260101}
export DECISION_WAIT=${DECISION_WAIT:-5} NUM_TRACES=${NUM_TRACES:-200000} EXPORT_COMPRESSION=none

loadgen="dotnet $root/bench/Cluster.LoadGenerator/bin/Release/net10.0/loadgen.dll"
sink_pid=
node_pid=

trap 'stop "$node_pid"; stop "$sink_pid"' EXIT

measure() { # name target options...
    local name=$1 target=$2
    shift 2
    # A fresh node every time: the memory of one scenario would be in the figures of the next.
    # shellcheck disable=SC2086
    taskset -c "$NODE_CPU" $NODE_COMMAND "$here/tail-sampling.yaml" >"$RESULTS/$name.node.log" 2>&1 &
    node_pid=$!
    wait_for_port "$node_pid" 14317 "$RESULTS/$name.node.log"
    sleep 2

    # It starts on both cores, to compress ahead of a gzip run, and moves to its own before the load begins.
    taskset -c "$NODE_CPU,$LOAD_CPU" $loadgen send --scenario "$name" --target "$target" --pin "$LOAD_CPU" --seed "$SEED" \
        --warm-up "$WARM_UP" --seconds "$WINDOW" --decision-wait "$DECISION_WAIT" --observe-pid "$node_pid" --metrics "$METRICS" \
        --sink http://127.0.0.1:14329 --json "$RESULTS/$name.json" "$@" >"$RESULTS/$name.txt" || echo "$name: see $RESULTS/$name.txt" >&2
    stop "$node_pid"
    node_pid=
    tail -1 "$RESULTS/$name.txt"
}

capacity() {
    if [[ -z "$CAPACITY" && -f "$RESULTS/grpc.json" ]]; then
        CAPACITY=$(field "$RESULTS/grpc.json" SpansPerSecond)
    fi
    if [[ -z "$CAPACITY" ]]; then
        echo "run the scenario grpc first, or set CAPACITY" >&2
        exit 2
    fi
    awk -v capacity="$CAPACITY" -v share="$1" 'BEGIN { printf "%d", capacity * share }'
}

ceiling() {
    local share rate
    for share in 0.98 0.95 0.90 0.85 0.80; do
        rate=$(capacity $share)
        measure ceiling grpc://127.0.0.1:14317 --rate "$rate"
        if [[ $(field "$RESULTS/ceiling.json" Sustained) == true ]]; then
            echo "sustained: $rate spans a second ($share of the closed loop)" | tee "$RESULTS/ceiling.sustained"
            return
        fi
    done
    echo "not even $share of the closed loop was sustained" | tee "$RESULTS/ceiling.sustained"
}

mkdir -p "$RESULTS"
build "$RESULTS/build.log" "$root/bench/Cluster.LoadGenerator"

taskset -c "$LOAD_CPU" $loadgen sink >"$RESULTS/sink.log" 2>&1 &
sink_pid=$!
wait_for_port "$sink_pid" 14329 "$RESULTS/sink.log"

$loadgen head
for scenario in "${@:-grpc http gzip open-50k open-80 ceiling}"; do
    # With no arguments the default is one word of six.
    for name in $scenario; do
        case $name in
            grpc) measure grpc grpc://127.0.0.1:14317 ;;
            http) measure http http://127.0.0.1:14318 ;;
            gzip) EXPORT_COMPRESSION=gzip measure gzip grpc://127.0.0.1:14317 --gzip --gzip-memory-mb "${GZIP_MEMORY_MB:-1200}" ;;
            open-50k) measure open-50k grpc://127.0.0.1:14317 --rate 50000 ;;
            open-80)
                rate=$(capacity 0.8)
                measure open-80 grpc://127.0.0.1:14317 --rate "$rate"
                ;;
            ceiling) ceiling ;;
            *) echo "no scenario $name" >&2; exit 2 ;;
        esac
    done
done
