# shellcheck shell=bash disable=SC2034,SC2154      # variables of helper.bash, and for the tests
# installed.bash - load after helper: the cluster runs what `make install` put under its own prefix,
# and no test leaves a node unusable or a process of ours behind.

setup_file()
{
	use_cluster
	[ -z "${IPP_TEST_CLUSTER-}" ] || install_ours
}

setup()
{
	need_root
}

teardown()
{
	check_what_is_left
}

# For a file with a teardown of its own
check_what_is_left()
{
	[ -n "${IPP_TEST_CLUSTER-}" ] || return 0
	if [ -z "${BATS_TEST_COMPLETED-}" ]; then
		printf 'status %s, output:\n%s\n' "${status-}" "${output-}"
		as root head squeue -l
		as root head scancel -u alice # not to spoil the next test
	fi
	wait_until 5 nothing_is_left >"$BATS_TEST_TMPDIR/left" || {
		sort -u "$BATS_TEST_TMPDIR/left"
		return 1
	}
	no_node_is_drained
}

# Once for a cluster, whichever file comes first
install_ours()
{
	local prefix=$IPP_TEST_CLUSTER/prefix
	(
		flock 9
		[ -e "$prefix/lib/slurm/spank_ipp.so" ] ||
			make --no-print-directory -C "$slurm_tests/../.." -o all install DESTDIR= prefix="$prefix" \
				bindir="$prefix/bin" libexecdir="$prefix/libexec/slurm-ipp" \
				includedir="$prefix/include" plugindir="$prefix/lib/slurm" \
				sysconfdir="$prefix/etc/slurm" >"$IPP_TEST_CLUSTER/install.log" 2>&1 ||
			{
				cat "$IPP_TEST_CLUSTER/install.log" >&2
				exit 1
			}
	) 9>"$IPP_TEST_CLUSTER/install.lock"
}

# processes_on HOST: ours, zombies apart
processes_on()
{
	cluster ps "$IPP_TEST_CLUSTER" "$1" | grep -E '/ipp-(launch|controller|guard|engine|worker)' |
		grep -v defunct
}

sockets_on()
{
	as root "$1" grep slurm-ipp/ /proc/net/unix
}

files_on()
{
	# Less what was installed, where the cluster itself is in /tmp
	as root "$1" find /tmp /dev/shm /run/user -path "$IPP_TEST_CLUSTER" -prune -o \
		-name '*ipp*' -print 2>/dev/null | grep .
}

nothing_is_left()
{
	local host
	for host in n1 n2; do
		! processes_on "$host" && ! sockets_on "$host" && ! files_on "$host" || return 1
	done
}

no_node_is_drained()
{
	! as root head sinfo -hN -o %T | grep -E 'drain|down|fail'
}

# Batch jobs of alice's, whose output goes to job.out in her home.  $job is the job's id; after its
# end $status is its exit code and $output what it wrote.

# start_batch OPTIONS... <SCRIPT
start_batch()
{
	cat >"$IPP_TEST_CLUSTER/home/alice/job.sh"
	chmod 755 "$IPP_TEST_CLUSTER/home/alice/job.sh"
	start_batch_file job.sh "$@"
}

# start_batch_file FILE OPTIONS... [-- ARGUMENTS]
start_batch_file()
{
	local file=$1 options=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	: >"$IPP_TEST_CLUSTER/home/alice/job.out"
	chmod 666 "$IPP_TEST_CLUSTER/home/alice/job.out"
	job=$(as alice head sbatch --parsable -o job.out "${options[@]}" "$file" "${@:2}")
}

await_batch()
{
	wait_until 60 job_has_ended
	output=$(cat "$IPP_TEST_CLUSTER/home/alice/job.out")
	status=$(as root head scontrol show job "$job" | sed -n 's/.* ExitCode=\([0-9]*\):.*/\1/p;T;q')
}

# as scontrol waits for no answer of the nodes, this is the end of the script, not of the cleaning up
job_has_ended()
{
	as root head scontrol show job "$job" |
		grep -qE 'JobState=(COMPLETED|COMPLETING|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)'
}

run_sbatch()
{
	start_batch "$@"
	await_batch
}

run_sbatch_file()
{
	start_batch_file "$@"
	await_batch
}
