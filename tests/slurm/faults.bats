#!/usr/bin/env bats
# What fails under a running map: Slurm's daemons, the whole job for a while.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

# start_map OPTIONS...: in the background, 20 tasks of 0.3 s; $started, $out and $err
start_map()
{
	out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err
	start_as alice head srun "$@" --ipp-engines ipp-run map -- sh -c 'sleep 0.3; echo $0' {} ::: $(seq 20) \
		>"$out" 2>"$err"
	wait_until 20 some_done
}

some_done() { [ -s "$out" ]; }
all_done() { [ "$(<"$out")" = "$(seq 20)" ]; }

@test "slurmctld is restarted in the midst of a map" {
	start_map -N2 -n4
	cluster restart "$IPP_TEST_CLUSTER" head slurmctld
	wait "$started"
	all_done
}

@test "slurmd is restarted in the midst of a map" {
	start_map -N2 -n4
	cluster restart "$IPP_TEST_CLUSTER" n2 slurmd
	wait "$started"
	all_done
}

@test "a job that is suspended and resumed loses no engine, and no task to its time-out" {
	start_batch -N2 -n4 --ipp-engines <<-'END'
		#!/bin/bash
		touch "$SLURM_JOB_ID.up"
		ipp-run map --task-timeout 8 -- bash -c 'sleep 1; echo $0' {} ::: $(seq 20)
	END
	wait_until 20 [ -e "$IPP_TEST_CLUSTER/home/alice/$job.up" ]
	as root head scontrol suspend "$job"
	since=$SECONDS
	wait_until 12 eval '((SECONDS >= since + 11))'
	as root head scontrol resume "$job"
	await_batch
	[ "$output" = "$(seq 20)" ]
}

@test "members of a job array run side by side, each with its own engines" {
	run_sbatch -n2 -N1 --array=1-2 -o 'array.%a' --ipp-engines <<-'END'
		#!/bin/bash
		touch up.$SLURM_ARRAY_TASK_ID
		until [ -e up.1 ] && [ -e up.2 ]; do sleep 0.05; done
		ipp-run apply -- printenv SLURM_ARRAY_TASK_ID
	END
	wait_until 30 no_job_is_left
	[ "$(cat "$IPP_TEST_CLUSTER/home/alice/array.1")" = $'1\n1' ]
	[ "$(cat "$IPP_TEST_CLUSTER/home/alice/array.2")" = $'2\n2' ]
}

no_job_is_left() { [ -z "$(as root head squeue -h)" ]; }
