#!/usr/bin/env bats
# A cluster comes down without a trace, whatever state it was in.

# shellcheck disable=SC2154      # variables of helper.bash
load helper

setup_file()
{
	:
}

teardown_file()
{
	:
}

setup()
{
	need_root
	dir=$BATS_TEST_TMPDIR/cluster
	machine_before=$(machine)
}

teardown()
{
	[ -z "${dir-}" ] || cluster down "$dir"
}

@test "down leaves no process, mount, interface, cgroup or file" {
	cluster up "$dir"
	[ "$(processes | wc -l)" -eq 6 ]        # process 1 and its parent, of three hosts
	cluster run "$dir" -- sbatch -N2 --wrap "setsid sleep 600 & srun sleep 600"
	cluster run "$dir" -w n1 -- setsid --fork sleep 600
	wait_until 10 sh -c "'$slurm_tests/cluster' ps '$dir' n2 | grep -q 'sleep 600'"
	cluster down "$dir"
	no_trace
}

@test "down can be repeated, and needs no cluster" {
	cluster down "$dir"
	cluster up "$dir"
	cluster down "$dir"
	cluster down "$dir"
	no_trace
}

@test "down ends a job whose processes are frozen" {
	cluster up "$dir"
	need_cgroups "$dir"
	cluster run "$dir" -- srun -w n1 sleep 600 &
	wait_until 10 freeze_step_on n1
	cluster down "$dir"
	no_trace
}

@test "down cleans up after an up that was killed half-way" {
	local delay
	for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.4; do
		"$slurm_tests/cluster" up "$dir" 3>&- &
		sleep "$delay"
		kill -KILL "$!" || true         # on a fast machine it may be up already
		cluster down "$dir"
		no_trace
	done
}

@test "an up that fails says why and leaves nothing" {
	mkdir -p "$dir"
	echo "required /nowhere/plugin.so" >"$dir/plugstack.conf"
	run cluster up "$dir" --plugstack "$dir/plugstack.conf"
	[ "$status" -ne 0 ]
	[[ $output == *"slurmd on n1 did not start"*"/nowhere/plugin.so: cannot open"* ]]
	rm "$dir/plugstack.conf"
	rmdir "$dir"
	no_trace
}

@test "two clusters do not see each other" {
	cluster up "$dir" --nodes 1
	cluster up "$dir.2" --nodes 1 --cgroups no
	cluster run "$dir" -- srun hostname
	cluster run "$dir.2" -- srun hostname
	cluster down "$dir.2"
	cluster run "$dir" -- srun hostname
}

@test "with gives a command a cluster and its exit code back" {
	run cluster with --nodes 1 -- \
		sh -c "echo \$IPP_TEST_CLUSTER; '$slurm_tests/cluster' run \$IPP_TEST_CLUSTER -- srun hostname; exit 3"
	[ "$status" -eq 3 ]
	[ "${lines[1]}" = n1 ]
	[ ! -e "${lines[0]}" ]
}

freeze_step_on()
{
	local state
	state=$(echo "/sys/fs/cgroup/freezer/$(cluster_id)/$1/slurm_$1"/*/*/step_0/freezer.state)
	[ -e "$state" ] && echo FROZEN >"$state"
}

no_trace()
{
	[ ! -e "$dir" ]
	[ -z "$(find /sys/fs/cgroup -name "$(cluster_id)")" ]
	wait_until 2 no_processes
	diff <(echo "$machine_before") <(machine)
}

no_processes()
{
	[ -z "$(processes)" ]
}

processes()
{
	grep -lzxFs -f <(echo "slurm-ipp-host-of:$dir") /proc/[0-9]*/cmdline
}

# The machine's mounts where hosts have theirs, and its interfaces
machine()
{
	awk '$2 ~ "^/(etc|home|proc|run|sys|tmp|dev/shm)" { print $2 }' /proc/self/mounts
	ip -brief link | cut -d' ' -f1
}

cluster_id()
{
	echo "slurm-ipp-$(cksum <<<"$dir" | cut -d' ' -f1)"
}
