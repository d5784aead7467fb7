# helper.bash - what the .bats files of this folder share:  load helper
#
# They run on one cluster for all of them if the runner provides it ($IPP_TEST_CLUSTER, set by
# `cluster with -- prove ...`), else on one that each file brings up for itself.  A file with a
# setup_file, setup or teardown_file of its own calls there what is called here.

bats_require_minimum_version 1.5.0      # for: run !
slurm_tests=$(dirname "${BASH_SOURCE[0]}")

setup_file()
{
	use_cluster
}

setup()
{
	need_root
}

teardown_file()
{
	leave_cluster
}

use_cluster()
{
	[ -z "${IPP_TEST_CLUSTER-}" ] && [ "$(id -u)" = 0 ] || return 0
	export IPP_TEST_CLUSTER=$BATS_FILE_TMPDIR/cluster IPP_TEST_OWN_CLUSTER=yes
	cluster up "$IPP_TEST_CLUSTER"
}

need_root()
{
	[ "$(id -u)" = 0 ] || skip_test "only root can make a cluster"
}

# need_cgroups [DIR]: a cluster whose Slurm uses cgroups
need_cgroups()
{
	grep -q proctrack/cgroup "${1:-$IPP_TEST_CLUSTER}/etc/slurm/slurm.conf" ||
		skip_test "no cgroups of version 1, or --cgroups no"
}

leave_cluster()
{
	[ -z "${IPP_TEST_OWN_CLUSTER-}" ] || cluster down "$IPP_TEST_CLUSTER"
}

cluster()
{
	"$slurm_tests/cluster" "$@"
}

# as USER HOST CMD...
as()
{
	local user=$1 host=$2
	shift 2
	cluster run "$IPP_TEST_CLUSTER" -u "$user" -w "$host" -- "$@"
}

# start_as USER HOST CMD...: the same in the background; kill "$started" takes the command along
start_as()
{
	local user=$1 host=$2
	shift 2
	"$slurm_tests/cluster" run "$IPP_TEST_CLUSTER" -u "$user" -w "$host" -- "$@" 3>&- &
	# shellcheck disable=SC2034     # for the test
	started=$!
}

# run_srun ARGS...: srun by alice on the head; sets $status, $output and $lines
run_srun()
{
	run as alice head srun "$@"
}

# quarantine_kb: of what it frees, the address sanitizer keeps so much in each process
quarantine_kb()
{
	case ${B-} in
	*address*) echo 262144 ;;
	*) echo 0 ;;
	esac
}

# wait_until SECONDS CMD...: the one place in the tests that sleeps
wait_until()
{
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		if ((SECONDS >= deadline)); then
			echo "still not true after the time given: $*" >&2
			return 1
		fi
		sleep 0.05
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
