#!/usr/bin/env bats
# The cluster that the other tests run on is what it claims to be, and leaves nothing behind.

# shellcheck disable=SC2154      # variables of helper.bash
load helper

@test "srun reaches every node" {
	run_srun -N2 -n4 hostname
	[ "$status" -eq 0 ]
	[ "$(sort -u <<<"$output")" = $'n1\nn2' ]
}

@test "stdin, stdout and exit code of a command on a host are its own" {
	run as alice n1 sh -c 'cat; exit 3' <<<"from outside"
	[ "$status" -eq 3 ]
	[ "$output" = "from outside" ]
}

@test "a killed client takes its command with it" {
	start_as alice head sleep 600
	wait_until 5 process_on head "sleep 600"
	kill "$started"
	wait_until 5 no_process_on head "sleep 600"
}

@test "bob cannot write into alice's home" {
	run as bob n1 touch /home/alice/intruder
	[ "$status" -ne 0 ]
	[[ $output == *"Permission denied"* ]]
}

@test "homes are shared by the hosts, /tmp, /dev/shm and /run are not" {
	as alice n1 touch shared /tmp/private /dev/shm/private
	as alice n2 test -e shared
	run ! as alice n2 test -e /tmp/private
	run ! as alice n2 test -e /dev/shm/private
	as alice n1 rm shared /tmp/private /dev/shm/private
	as root n1 test -e /run/slurmd.pid
	run ! as root head test -e /run/slurmd.pid
}

@test "a host sees no process of another" {
	start_as alice n1 sleep 601
	wait_until 5 process_on n1 "sleep 601"
	no_process_on n2 "sleep 601"
	kill "$started"
}

@test "a PMIx step works across nodes" {
	as alice head srun --mpi=list 2>&1 | grep -q pmix || skip_test "this Slurm has no PMIx"
	local flags
	read -ra flags < <(pkg-config --cflags --libs pmix) || skip_test "libpmix-dev is missing"
	cc -o "$IPP_TEST_CLUSTER/home/alice/pmix_hello" "$slurm_tests/pmix_hello.c" "${flags[@]}"
	run_srun --mpi=pmix -N2 -n4 --ntasks-per-node=2 ./pmix_hello
	[ "$status" -eq 0 ]
	[ "$(sort <<<"$output")" = $'0 hears n1\n1 hears n1\n2 hears n1\n3 hears n1' ]
}

@test "what leaves its step's session is killed with the step, given cgroups" {
	need_cgroups
	run_srun -N1 -w n1 sh -c 'setsid sleep 602 & sleep 0.1'
	wait_until 5 no_process_on n1 "sleep 602"
}

@test "a step that takes more memory than it asked for is killed, given cgroups" {
	need_cgroups
	run_srun --mem=50 sh -c 'head -c 200M /dev/zero | tail -n 1'
	[ "$status" -ne 0 ]
	[[ $output == *"Out Of Memory"* ]]
}

@test "a killed slurmd comes back" {
	cluster kill "$IPP_TEST_CLUSTER" n2 slurmd
	no_process_on n2 slurmd
	cluster start "$IPP_TEST_CLUSTER" n2 slurmd
	cluster wait "$IPP_TEST_CLUSTER" 30 n2
	run_srun -w n2 hostname
	[ "$output" = n2 ]
}

@test "a node that crashed boots again" {
	cluster crash "$IPP_TEST_CLUSTER" n2
	run ! cluster ps "$IPP_TEST_CLUSTER" n2
	cluster boot "$IPP_TEST_CLUSTER" n2
	cluster wait "$IPP_TEST_CLUSTER" 30
	run_srun -N2 hostname
	[ "$(sort <<<"$output")" = $'n1\nn2' ]
}

@test "packets to a node with a cut link vanish" {
	cluster link "$IPP_TEST_CLUSTER" n2 down
	run timeout 1 "$slurm_tests/cluster" run "$IPP_TEST_CLUSTER" -w n1 -- \
		bash -c ': </dev/tcp/n2/6818'
	[ "$status" -eq 124 ]
	cluster link "$IPP_TEST_CLUSTER" n2 up
	as alice n1 bash -c ': </dev/tcp/n2/6818'
}

process_on()
{
	cluster ps "$IPP_TEST_CLUSTER" "$1" | grep -q "$2"
}

no_process_on()
{
	! process_on "$@"
}
