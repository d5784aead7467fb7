#!/usr/bin/env bats
# sbatch --ipp-engines: a batch script whose first line finds all engines ready.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

@test "the first line of the script finds all engines, and its exit code is the job's" {
	run_sbatch -N2 -n4 --ipp-engines <<-'END'
		#!/bin/bash
		ipp-run ids
		exit 4
	END
	[ "$status" -eq 4 ]
	[ "$(grep -oE 'rank=[0-9]+' <<<"$output")" = $'rank=0\nrank=1\nrank=2\nrank=3' ]
	[[ $output == *host=n1* && $output == *host=n2* ]]
	[ "$(wc -l <<<"$output")" -eq 4 ]
}

@test "#SBATCH --ipp-engines works, and several ipp-run in a row use the same engines" {
	run_sbatch <<-'END'
		#!/bin/bash
		#SBATCH -N2 -n2
		#SBATCH --ipp-engines
		ipp-run ids >first
		ipp-run ids >second
		diff first second && wc -l <second
	END
	[ "$status" -eq 0 ]
	[ "$output" = 2 ]
}

@test "a map is left behind in the script, seen on both nodes, and fetched later" {
	run_sbatch -N2 -n4 --ipp-engines <<-'END'
		#!/bin/bash
		id=$(ipp-run map --async -- sh -c 'until [ -e opened ]; do sleep 0.05; done; hostname' ::: 1 2 3 4)
		until [ "$(ipp-run status --json | jq '[.engines[].state] | unique == ["busy"]')" = true ]; do
			sleep 0.05
		done
		ipp-run status --json | jq -r '.engines[] | select(.memory_bytes > 0).host' | sort -u
		touch opened
		ipp-run result $id | sort -u
		ipp-run history --json | jq -r .state
	END
	[ "$status" -eq 0 ]
	[ "$output" = $'n1\nn2\nn1\nn2\ndone' ]
}

@test "--ipp-engines=N starts N, though the job has more tasks" {
	run_sbatch -N2 -n4 --ipp-engines=3 <<-'END'
		#!/bin/bash
		ipp-run ids | wc -l
	END
	[ "$output" = 3 ]
}

@test "-N without -n, and --cpus-per-task, are the engines', too" {
	run_sbatch -N2 --cpus-per-task=3 --ipp-engines <<-'END'
		#!/bin/bash
		ipp-run ids | wc -l
		ipp-run apply -- printenv SLURM_CPUS_PER_TASK
	END
	[ "$output" = $'2\n3\n3' ]
}

@test "options in the script that steps would take do not bend the engines' step" {
	run_sbatch -N2 -n4 --ipp-engines --export=ALL,SLURM_LABELIO=1,SLURM_CPU_BIND=map_cpu:77,SLURM_HOSTFILE=/nosuch,SLURM_DISTRIBUTION=cyclic,SLURM_WAIT=1,SLURM_STDINMODE=2,SLURM_MPI_TYPE=none <<-'END'
		#!/bin/bash
		ipp-run ids | grep -oE 'host=n.|rank=.' | paste -sd' '
	END
	[ "$output" = "host=n1 rank=0 host=n1 rank=1 host=n1 rank=2 host=n2 rank=3" ] ||
		[ "$output" = "host=n1 rank=0 host=n1 rank=1 host=n2 rank=2 host=n2 rank=3" ]
}

@test "with --export=NONE the engines are there, and so is the user's own srun" {
	run_sbatch -N2 -n4 --export=NONE --ipp-engines <<-END
		#!/bin/bash
		$IPP_TEST_CLUSTER/prefix/bin/ipp-run ids | /usr/bin/wc -l
		/usr/bin/srun /usr/bin/hostname | /usr/bin/sort -u
	END
	[ "$output" = $'4\nn1\nn2' ]
}

@test "srun in the script starts no second cluster, and waits for no core of the engines" {
	run_sbatch -N2 -n4 --exclusive --ipp-engines <<-'END'
		#!/bin/bash
		srun --immediate=1 -n16 -N2 hostname | sort | uniq -c | tr -s ' '
		pgrep -c -x ipp-controller
	END
	[ "$status" -eq 0 ]
	[ "$output" = $' 8 n1\n 8 n2\n1' ]
}

@test "srun --ipp-engines in the script makes a cluster of its own, and the script keeps its" {
	run_sbatch -N2 -n2 --ipp-engines <<-'END'
		#!/bin/bash
		srun --overlap -n2 --ipp-engines bash -c 'echo $IPP_CONNECT; ipp-run ids | wc -l'
		echo $IPP_CONNECT
		ipp-run ids | wc -l
	END
	[ "${lines[1]-$(sed -n 2p <<<"$output")}" = 2 ]
	[ "$(sed -n 4p <<<"$output")" = 2 ]
	[ "$(sed -n 1p <<<"$output")" != "$(sed -n 3p <<<"$output")" ]
}

# What the script is, to itself: argv, directory, stdin, signals, limits, its parent, its children
probe='#!/bin/bash
compgen -e | grep -v IPP_CONNECT
echo "$0: $*" | sed "s|job[0-9]*|job|"
pwd
readlink /proc/self/fd/0
ls /proc/self/fd | wc -l
grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status
ulimit -a
cat /proc/$PPID/comm
pgrep -P $$ "srun|ipp"
cat
exit 0'

@test "the script's arguments, environment, stdin, signals and limits are as without engines" {
	local plain home=$IPP_TEST_CLUSTER/home/alice
	echo "from stdin" >"$home/input"
	cat >"$home/probe.sh" <<<"$probe"
	chmod 755 "$home/probe.sh"
	run_sbatch_file "$home/probe.sh" -N2 -n4 --input=input
	plain=$output
	[[ $plain == *"from stdin"* ]]
	run_sbatch_file "$home/probe.sh" -N2 -n4 --input=input --ipp-engines
	diff <(echo "$plain") <(echo "$output")
}

@test "the script has arguments, and the pid that Slurm knows" {
	local home=$IPP_TEST_CLUSTER/home/alice
	# shellcheck disable=SC2016
	printf '#!/bin/bash\necho "$# $1 $2"\n[ "$SLURM_TASK_PID" = $$ ]\n' >"$home/arguments.sh"
	chmod 755 "$home/arguments.sh"
	run_sbatch_file "$home/arguments.sh" --ipp-engines -n1 -- "a b" c
	[ "$status" -eq 0 ]
	[ "$output" = "2 a b c" ]
}

@test "scancel --signal=USR1 --batch reaches the script, and the engines live on" {
	start_batch -N2 -n2 --ipp-engines <<-'END'
		#!/bin/bash
		trap 'ipp-run ids | wc -l; exit 6' USR1
		echo waiting
		while :; do read -rt 1 <> <(:); done
	END
	wait_until 30 grep -q waiting "$IPP_TEST_CLUSTER/home/alice/job.out"
	as alice head scancel --signal=USR1 --batch "$job"
	await_batch
	[ "$status" -eq 6 ]
	[ "$output" = $'waiting\n2' ]
}

@test "the end of the script is the end of everything, without a word" {
	run_sbatch -N2 -n2 --ipp-engines <<-'END'
		#!/bin/bash
		echo the only line
	END
	wait_until 5 nothing_is_left
	[ "$output" = "the only line" ]
}

@test "scancel of the job ends everything on all nodes" {
	start_batch -N2 -n4 --ipp-engines <<-'END'
		#!/bin/bash
		echo running
		exec sleep 621
	END
	wait_until 30 grep -q running "$IPP_TEST_CLUSTER/home/alice/job.out"
	as alice head scancel "$job"
	wait_until 5 nothing_is_left
	await_batch
}

@test "kill -9 of the script ends everything on all nodes" {
	start_batch -N2 -n4 --ipp-engines <<-'END'
		#!/bin/bash
		echo running
		exec sleep 622
	END
	wait_until 30 grep -q running "$IPP_TEST_CLUSTER/home/alice/job.out"
	as root n1 pkill -KILL -xf 'sleep 622'
	wait_until 5 nothing_is_left
	await_batch
}

script='#!/bin/bash
echo the script ran'

@test "more engines than tasks are refused, once, and the script does not run" {
	run_sbatch -N2 -n2 --ipp-engines=5 <<<"$script"
	[ "$status" -eq 125 ]
	[ "$output" = "ipp: --ipp-engines=5 asks for more engines than there are tasks (2); give -n 5, or --ipp-engines without a number" ]
}

@test "what goes wrong in the engines' step is told once, and the script does not run" {
	run_sbatch -N2 -n2 --ipp-engines --ipp-interface=ib7 <<<"$script"
	[ "$status" -eq 125 ]
	[[ $output == "ipp: n1 has no network interface ib7 that is up; it has"* ]]
	[ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "an engines' step that Slurm refuses is told in Slurm's words and in ours" {
	run_sbatch -N2 -n2 --ipp-engines --export=ALL,SLURM_GRES=gpu:7 <<<"$script"
	[ "$status" -eq 125 ]
	[ "$(grep -c 'srun: error: Invalid generic resource' <<<"$output")" -eq 1 ]
	[[ $output == *"ipp: the engines' step could not be started; the message of its srun is above"* ]]
	[[ $output != *"the script ran"* ]]
}

@test "a rank that does not come is named with its node, and the script does not run" {
	as root n2 mount -t tmpfs none "$IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp"
	run_sbatch -N2 -n2 --ipp-timeout=2 --ipp-engines <<<"$script"
	as root n2 umount "$IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp"
	[ "$status" -eq 125 ]
	[[ $output == *"ipp: only 1 of 2 ranks showed up in time; missing rank 1 on n2"* ]]
	[ "$(grep -c ipp: <<<"$output")" -eq 1 ]
	[[ $output != *"the script ran"* ]]
}

@test "a batch host that is not the first node is refused with both names" {
	as root head scontrol update NodeName=n1 Features=first ActiveFeatures=first
	as root head scontrol update NodeName=n2 Features=second ActiveFeatures=second
	run_sbatch -N2 -n2 -C 'first|second' --batch=second --ipp-engines <<<"$script"
	as root head scontrol update NodeName=n1,n2 Features= ActiveFeatures=
	[ "$status" -eq 125 ]
	[[ $output == *"the batch script runs on n2, but the engines' controller would be on the job's first node, n1"* ]]
}
