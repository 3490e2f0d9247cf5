# Of both run.sh: processes on ports, and what a report says. To be sourced.
# shellcheck shell=bash

stop() { # pid [signal]
    if [[ -n "$1" ]] && kill "${2:--TERM}" "$1" 2>/dev/null; then
        wait "$1" 2>/dev/null || true
    fi
}

wait_for_port() { # pid port log
    for _ in $(seq 150); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then
            return 0
        fi
        kill -0 "$1" 2>/dev/null || break
        sleep 0.2
    done
    echo "nothing listens on port $2; the log says:" >&2
    tail -20 "$3" >&2
    return 1
}

field() { # report name
    sed -n "s/^  \"$2\": \([^,]*\),\{0,1\}$/\1/p" "$1" | head -1
}

build() { # log project...
    local log=$1 project
    shift
    for project in "$@"; do
        dotnet build "$project" -c Release -v q --nologo >"$log" 2>&1 || { cat "$log"; exit 1; }
    done
}
