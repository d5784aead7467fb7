#!/usr/bin/env bats
# What cannot work is refused in one sentence that says how to mend it, with a documented exit code,
# before anything is allocated where that is possible, and no node is drained (see teardown).

# shellcheck disable=SC2154      # variables of helper.bash
load helper
load installed

job_id()
{
	# shellcheck disable=SC2016      # $ is for the shell on the node
	as alice head srun -n1 sh -c 'echo $SLURM_JOB_ID'
}

# refused STATUS SENTENCE CMD...: the command on the head ends so, says it once, and makes no job
refused()
{
	local wanted=$1 sentence=$2 before
	shift 2
	before=$(job_id)
	run "-$wanted" as alice head "$@"
	[[ $output == *"$sentence"* ]]
	[ "$(grep -c ipp: <<<"$output")" -eq 1 ]
	[ "$(job_id)" -eq $((before + 1)) ]
}

# ends STATUS SENTENCE CMD...: the same for what only the step can find out
ends()
{
	local wanted=$1 sentence=$2
	shift 2
	run "-$wanted" as alice head "$@"
	[[ $output == *"$sentence"* ]]
	[ "$(grep -c ipp: <<<"$output")" -eq 1 ]
}

@test "numbers of engines that are none" {
	local number
	for number in 0 -1 x 1x 1.5 4294967297; do
		refused 255 "--ipp-engines=$number is no use: give a number of engines from 1" \
			srun -n2 --ipp-engines="$number" true
	done
}

@test "sbatch refuses them as srun does" {
	refused 255 "--ipp-engines=0 is no use" sbatch --ipp-engines=0 --wrap true
	refused 255 "--ipp-timeout=x is no use: give a number of seconds" \
		sbatch --ipp-engines --ipp-timeout=x --wrap true
}

@test "a time-out that is none" {
	refused 255 "--ipp-timeout=0 is no use: give a number of seconds" \
		srun -n2 --ipp-engines --ipp-timeout=0 true
}

@test "an interface with a name that none can have" {
	refused 255 "--ipp-interface=abcdefghijklmnopq is no use" \
		srun -n2 --ipp-engines --ipp-interface=abcdefghijklmnopq true
}

@test "an interface that the first node does not have" {
	ends 125 "n1 has no network interface ib7 that is up; it has" \
		srun -N2 -n2 --ipp-engines --ipp-interface=ib7 true
}

@test "more engines than tasks" {
	ends 125 "--ipp-engines=5 asks for more engines than there are tasks (4); give -n 5" \
		srun -N2 -n4 --ipp-engines=5 true
}

@test "an MPI without PMIx, chosen in any way" {
	local choice
	for choice in --mpi=none --mpi=pmi2 "--mpi pmi2" --mp=none; do
		# shellcheck disable=SC2086      # two words
		refused 255 "gives the step no PMIx, by which engines find their controller: leave it out, or say --mpi=pmix" \
			srun -n2 --ipp-engines $choice true
	done
	refused 255 "SLURM_MPI_TYPE=pmi2 gives the step no PMIx" env SLURM_MPI_TYPE=pmi2 srun -n2 --ipp-engines true
}

@test "--multi-prog" {
	echo '0-1 /bin/true' >"$IPP_TEST_CLUSTER/home/alice/programs"
	refused 255 "--multi-prog does not go with --ipp-engines" srun -n2 --ipp-engines --multi-prog programs
	refused 255 "--multi-prog does not go with --ipp-engines" srun -n2 --multi --ipp-engines programs
}

@test "a heterogeneous step" {
	refused 255 "does not work in a heterogeneous step" srun -n1 --ipp-engines true : -n1 true
}

@test "a heterogeneous job" {
	local job=$IPP_TEST_CLUSTER/home/alice/het.sh
	printf '#!/bin/sh\necho the script ran\n' >"$job"
	chmod 755 "$job"
	run_sbatch_file "$job" --ipp-engines -n1 : -n1
	[ "$status" -eq 125 ]
	[[ $output == *"sbatch --ipp-engines does not work for a heterogeneous job; use srun --ipp-engines"* ]]
	[[ $output != *"the script ran"* ]]
}

@test "salloc, which says what to type" {
	refused 255 "salloc starts no engines: type srun --ipp-engines COMMAND inside the allocation" \
		salloc --ipp-engines true
	run as alice head salloc -N2 -n2 srun --ipp-engines bash -c 'ipp-run ids | wc -l'
	[ "$status" -eq 0 ]
	[[ $output == *2* ]]
}

@test "a command that does not exist" {
	ends 127 "cannot run no-such-command: no such command on n1; give its path, or mend PATH" \
		srun -N2 -n4 --ipp-engines no-such-command
	ends 127 "cannot run /no/such/command on n1: No such file" srun -N2 -n2 --ipp-engines /no/such/command
}

@test "a number of engines behind a blank" {
	ends 127 "a number of engines is written with '=': --ipp-engines=4" srun -N2 -n4 --ipp-engines 4 true
}

@test "ipp-run as each of several tasks, without engines, says once what to type" {
	run as alice head srun -n4 ipp-run loo
	[ "$status" -eq 125 ]
	[ "$(grep -c "type srun -n4 --ipp-engines ipp-run" <<<"$output")" -eq 1 ]
}

@test "a command that cannot be run" {
	ends 126 "cannot run /etc/passwd on n1: Permission denied" srun -N2 -n2 --ipp-engines /etc/passwd
	ends 126 "cannot run /tmp on n1: Permission denied" srun -N2 -n2 --ipp-engines /tmp
	echo 'no program' >"$IPP_TEST_CLUSTER/home/alice/nonsense"
	chmod 755 "$IPP_TEST_CLUSTER/home/alice/nonsense"
	ends 126 "nonsense: Exec format error" srun -N2 -n2 --ipp-engines ./nonsense
}

@test "ipp-launch started by hand" {
	run as alice head "$IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp/ipp-launch" true
	[ "$status" -eq 125 ]
	[[ $output == *"is started by Slurm's plugin: type srun --ipp-engines COMMAND"* ]]
}
