#!/usr/bin/env bats
# The examples, and a cluster started by hand in a batch script: no plugin, no PMIx, no sleep.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

# put_example FILE: into alice's home, which the nodes share
put_example()
{
	install -m 755 "$slurm_tests/../../contrib/examples/$1" "$IPP_TEST_CLUSTER/home/alice/$1"
}

@test "contrib/examples/by-hand.sh finds all engines and leaves no file behind" {
	put_example by-hand.sh
	run_sbatch_file by-hand.sh
	[ "$status" -eq 0 ]
	[ "$(grep -oE 'rank=[0-9]+' <<<"$output")" = $'rank=0\nrank=1\nrank=2\nrank=3' ]
	[[ $output == *host=n2* && $output == *"on 4 engines"* ]]
	run ! grep . <(find "$IPP_TEST_CLUSTER/home/alice/.slurm-ipp" -type f)
}

@test "by hand, engines may come before the controller" {
	run_sbatch -N2 -n3 <<-'END'
		#!/bin/bash
		srun --mpi=none ipp-engine &
		ipp-run wait -n 1 --timeout 1           # nothing there yet: a second for the engines
		ipp-controller &
		ipp-run wait && ipp-run ids | wc -l
		ipp-run stop
		wait
	END
	[ "$status" -eq 0 ]
	[[ $output == *"no controller after 1 s"* ]]
	[ "${output##*$'\n'}" = 3 ]
}

@test "by hand, ipp-run wait waits for an engine a node where the job has no number of tasks" {
	run_sbatch -N2 <<-'END'
		#!/bin/bash
		ipp-controller &
		srun --mpi=none --overlap --input=none bash -c '[ $SLURM_PROCID = 0 ] || until [ -e go ]; do sleep 0.1; done
			exec ipp-engine' &
		ipp-run wait -n 1
		{ sleep 0.3; touch go; } &
		ipp-run wait && ipp-run ids | wc -l
		ipp-run stop
		wait
	END
	[ "${output##*$'\n'}" = 2 ]
}

@test "by hand, ipp-run wait names an engine that does not come" {
	run_sbatch -N2 -n2 <<-'END'
		#!/bin/bash
		ipp-controller &
		srun --mpi=none -n1 -N1 ipp-engine &
		ipp-run wait --timeout 2
		echo "code $?"
		ipp-run stop
		wait
	END
	[[ $output == *"1 of 2 engines after 2 s; missing engine 1;"* ]]
	[[ $output == *"code 125"* ]]
}

@test "contrib/examples/job.sh runs as it says" {
	put_example job.sh
	run_sbatch_file job.sh
	[ "$status" -eq 0 ]
	[ "$(grep -c '^Hello, World$' <<<"$output")" -eq 4 ]
	[[ $output == *$'1\n4\n9\n16\n25'* && $output == *"500 of 500 rows"* ]]
	[ "$(grep -cE '^[0-3]: n[12]$' <<<"$output")" -eq 4 ]
	[ "$(wc -l <"$IPP_TEST_CLUSTER/home/alice/predictions.csv")" -eq 501 ]
}
