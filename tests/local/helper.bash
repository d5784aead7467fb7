# helper.bash - what the .bats files of this folder share:  load helper
#
# They run the programs of $B (build/release) without Slurm.  Each test has a home of its own, and
# its processes are known by a mark in their environment, so that nobody else's are touched.

bats_require_minimum_version 1.5.0 # for: run --separate-stderr
programs=$(realpath "${B:-build/release}")
data=$(realpath tests/data)
# shellcheck disable=SC2034 # for the tests
host=$(hostname)

setup()
{
	local name
	for name in ${!SLURM_*} ${!IPP_*}; do
		unset "$name"
	done
	PATH=$programs:$PATH
	export HOME=$BATS_TEST_TMPDIR/home IPP_TEST_MARK=$BATS_TEST_TMPDIR
	mkdir "$HOME"
	cd "$HOME" || return
}

teardown()
{
	local pid
	for pid in $(ours 'ipp-.*'); do
		kill -9 "$pid" 2>/dev/null || true
	done
}

# ours COMMAND: pids of this test's processes whose command name matches
ours()
{
	local environ pid
	grep -lzxs "IPP_TEST_MARK=$IPP_TEST_MARK" /proc/[0-9]*/environ | while read -r environ; do
		pid=${environ#/proc/}
		pid=${pid%/environ}
		if [[ $(cat "/proc/$pid/comm" 2>/dev/null) =~ ^($1)$ ]]; then
			echo "$pid"
		fi
	done
}

some_run() { [ -n "$(ours "$1")" ]; }
none_left() { [ -z "$(ours 'ipp-.*|sleep')" ]; }
n_run() { [ "$(ours "$1" | wc -l)" = "$2" ]; }

# gone PID...: none of them runs, zombies aside
gone()
{
	local pid
	for pid; do
		case $(ps -o stat= -p "$pid") in
		'' | Z*) ;;
		*) return 1 ;;
		esac
	done
}

# parent PID
parent() { ps -o ppid= -p "$1" | tr -d ' '; }

# ipp ARGS...: run ipp-run; sets $status, $output, $stderr and their lines
ipp()
{
	run --separate-stderr ipp-run "$@" </dev/null
}

# start N: keep a cluster of N engines, whose processes keep the stderr they were started with
start()
{
	ipp-run start -n "$1" 2>>start.log
}

# says TEXT ARGS...: ipp-run says TEXT in one sentence and nothing else, with exit code 125
says()
{
	local text=$1
	shift
	ipp "$@"
	show
	[ "$status" = 125 ]
	[ "$output" = "" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "ipp-run"* || $stderr == "slurm-ipp: "* ]]
	[[ $stderr == *"$text"* ]]
}

# refused TEXT ARGS...: the same, and nothing is left running
refused()
{
	says "$@"
	wait_until 5 none_left
}

# For whoever reads a failure.
show()
{
	echo "status $status"
	echo "stdout: $output"
	echo "stderr: $stderr"
}

# wait_until SECONDS COMMAND...: the one place in these tests that sleeps
wait_until()
{
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		if ((SECONDS > deadline)); then
			echo "still not true after the time given: $*" >&2
			return 1
		fi
		IPP_TEST_MARK="" command sleep 0.05
	done
}

# skip_test REASON: a failure under STRICT=1
skip_test()
{
	[ "${STRICT-}" != 1 ] || {
		echo "STRICT=1 and this would be skipped: $1" >&2
		return 1
	}
	skip "$1"
}
