# lib.sh - for scripts that start real clusters; source it first. Nothing here sleeps for a fixed
# time: waiting is asking again until a condition holds or the patience is over.
#
#     . "$(dirname "$0")/lib.sh"
#     cluster_up --nodes 2 || give_up "the cluster did not start"
#     expect "A file comes back as it was." same_file
#     finish
#
# Each script gets a folder of its own, $work, and $MILLRACE_DIR in it; both are gone in the end, and
# so are all processes: finish counts what is left as a failure.
# MILLRACE_TEST_KEEP=1 keeps the folder and the cluster.
# shellcheck shell=bash
set -u

source_dir=${MILLRACE_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build_dir=${MILLRACE_BUILD_DIR:-$source_dir/build/gcc}
PATH=$build_dir/bin:$PATH
export source_dir build_dir PATH

work=$(mktemp -d /tmp/millrace-test-XXXXXX)
chmod 755 "$work" # as every other folder; what must be private makes itself so
export MILLRACE_DIR=$work/cluster
unset MILLRACE_CONFIG MILLRACE_TOKEN_FILE
test_name=$(basename "$0")
passed=0
failed=0
output=$work/output
patience_s=${MILLRACE_TEST_PATIENCE:-60}

# --- counting ---------------------------------------------------------------------------------------

count() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not so: $2"
        [ -s "$output" ] && sed 's/^/    /' "$output" | tail -n 60
    fi
    return "$1"
}

# expect SENTENCE COMMAND... - COMMAND succeeds. Its output is in $output.
expect() {
    local sentence=$1
    shift
    "$@" >"$output" 2>&1
    count $? "$sentence"
}

# expect_code SENTENCE CODE PATTERN COMMAND... - COMMAND exits with CODE, and a line of what it prints
# matches PATTERN.
expect_code() {
    local sentence=$1 wanted=$2 pattern=$3 code
    shift 3
    "$@" >"$output" 2>&1
    code=$?
    [ "$code" -eq "$wanted" ] && grep -q -- "$pattern" "$output"
    local result=$?
    [ "$result" -eq 0 ] || echo "(exit code $code; wanted $wanted and $pattern)" >>"$output"
    count "$result" "$sentence"
}

# wait_until COMMAND... - asks until COMMAND succeeds; fails after $patience_s.
wait_until() {
    local deadline=$((SECONDS + patience_s))
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05 # between two questions
    done
}

# give_up SENTENCE - ends the script with one more failure; the last lines of the daemons' logs are
# printed.
give_up() {
    failed=$((failed + 1))
    echo "gave up: $1"
    [ -s "$output" ] && sed 's/^/    /' "$output"
    show_logs
    finish
}

finish() {
    clean_up
    echo "cluster: $test_name: $passed passed, $failed failed"
    trap - EXIT
    [ "$failed" -eq 0 ]
    exit
}

# --- the cluster ------------------------------------------------------------------------------------

# cluster_up [OPTION...] - millrace up; quiet.
cluster_up() {
    millrace up "$@" >"$output" 2>&1
}

# status_json PYTHON-EXPRESSION - of what millrace status --json tells, as s; for example
# status_json 's["filesystem"]["in_safe_mode"]'.
status_json() {
    millrace status --json 2>/dev/null | json "$1"
}

# json PYTHON-EXPRESSION - of the JSON on standard input, as s.
json() {
    python3 -c 'import json, sys
s = json.load(sys.stdin)
r = eval(sys.argv[1])
print(r if isinstance(r, (str, int, float)) and not isinstance(r, bool) else json.dumps(r))' "$1"
}

# daemon_pid NAME - 0 when it does not run.
daemon_pid() {
    status_json "[d['pid'] for d in s['daemons'] if d['name'] == '$1'][0]"
}

# daemon_address NAME rpc|http
daemon_address() {
    status_json "[d['$2_address'] for d in s['daemons'] if d['name'] == '$1'][0]"
}

# daemon_kill NAME - kill -9, and waits until it is gone.
daemon_kill() {
    local pid
    pid=$(daemon_pid "$1")
    [ "$pid" -gt 0 ] || return 1
    kill -KILL "$pid" && wait_until process_is_gone "$pid"
}

# A zombie that nobody has reaped yet is gone, too.
process_is_gone() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || [ ! -e "/proc/$1" ]
}

# Processes whose command line or working directory has $work in it: of this script's clusters. The
# script itself and its subshells may stand there.
processes_left() {
    local pid
    { grep -lF -- "$work" /proc/[0-9]*/cmdline 2>/dev/null
        find /proc/[0-9]*/cwd -maxdepth 0 -lname "$work*" 2>/dev/null; } |
        sed -n 's|^/proc/\([0-9]*\)/.*|\1|p' | sort -un |
        while read -r pid; do
            process_is_gone "$pid" || cmp -s "/proc/$$/cmdline" "/proc/$pid/cmdline" ||
                echo "$pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
        done
}

nothing_left() {
    [ -z "$(processes_left)" ]
}

show_logs() {
    local log
    for log in "$MILLRACE_DIR"/*/*.log; do
        [ -s "$log" ] || continue
        echo "--- ${log#"$work"/}"
        tail -n 15 "$log"
    done
}

clean_up() {
    if [ "${MILLRACE_TEST_KEEP:-0}" = 1 ]; then
        echo "kept: $work"
        return
    fi
    if [ -e "$MILLRACE_DIR/cluster.json" ]; then
        [ "$failed" -eq 0 ] || show_logs
        if ! millrace down --purge >"$output" 2>&1; then
            failed=$((failed + 1))
            echo "not so: millrace down --purge cleans up"
            cat "$output"
        fi
    fi
    if ! nothing_left; then
        failed=$((failed + 1))
        echo "not so: no process is left"
        processes_left
    fi
    rm -rf "$work"
}

trap 'clean_up' EXIT
trap 'exit 130' INT TERM
