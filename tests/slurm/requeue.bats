#!/usr/bin/env bats
# A map over several jobs: contrib/examples/requeue.sh.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

has_restarted() { as root head scontrol show job "$job" | grep -q "Restarts=$1 "; }
is_running() { as root head scontrol show job "$job" | grep -q JobState=RUNNING; }
n_begun() { (($(wc -l <"$(home)/begun") >= $1)); }

# Slurm waits two minutes before it starts a requeued job again, unless root says otherwise; by then
# nothing must be left of the one before.
restarts()
{
	wait_until 30 has_restarted "$1"
	cluster wait "$IPP_TEST_CLUSTER" 30
	as root head scontrol update JobId="$job" StartTime=now
	wait_until 30 is_running
}

# indices: those in the journal, in their order
indices() { as alice n1 ipp-run journal "map.$job.journal" | tail -n +2 | cut -f1 | sort -n; }

@test "it completes over three jobs: drained, requeued in its midst, to the end" {
	install -m 755 "$slurm_tests/../../contrib/examples/requeue.sh" "$(home)/requeue.sh"
	: >"$(home)/begun"
	chmod 666 "$(home)/begun"
	start_batch_file requeue.sh -- sh -c 'echo $0 >>begun; sleep 0.3; echo $0' {} ::: 1:61

	wait_until 30 n_begun 6
	as alice head scancel -s USR1 "$job" # as of --signal=USR1@60, or before a preemption
	restarts 1
	wait_until 30 n_begun 18
	as alice head scontrol requeue "$job"
	restarts 2
	await_batch

	[ "$status" -eq 0 ]
	[ "$output" = "$(seq 60)" ]
	[ "$(indices)" = "$(seq 0 59)" ]
	# Only what ran when the second job was killed has run twice.
	(($(wc -l <"$(home)/begun") <= 60 + 2 * 4))
}

@test "a job that is preempted drains in the time that it is given, and is put back" {
	rm -f "$(home)/go" "$(home)/up"
	install -m 755 "$slurm_tests/../../contrib/examples/requeue.sh" "$(home)/requeue.sh"
	start_batch_file requeue.sh --exclusive -- sh -c 'trap : TERM; touch up; until [ -e go ]; do sleep 0.05; done; echo $0' {} ::: 1:101
	wait_until 30 [ -e "$(home)/up" ]
	as alice head sbatch -p urgent -N2 --exclusive -o /dev/null --wrap true
	wait_until 30 grep -q CANCELLED "$(home)/job.out"
	since=$SECONDS
	wait_until 6 eval '((SECONDS >= since + 4))' # KillWait is 3
	is_running
	touch "$(home)/go"
	wait_until 30 has_restarted 1
	grep -E "ipp-run map: the job was told to end by SIGTERM: [1-9][0-9]? of 100 tasks are done and in map.$job.journal; " "$(home)/job.out"
	as alice head scancel "$job"
	wait_until 30 eval '[ -z "$(as root head squeue -h)" ]'
}
