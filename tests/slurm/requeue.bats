#!/usr/bin/env bats
# A map over several jobs: contrib/examples/requeue.sh.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

has_restarted() { as root head scontrol show job "$job" | grep -q "Restarts=$1 "; }
is_running() { as root head scontrol show job "$job" | grep -q JobState=RUNNING; }
n_begun() { (($(wc -l <"$(home)/begun") >= $1)); }

# ends_in SECONDS JOB: a limit is minutes long for users; root may set a job's end to the second
ends_in() { as root head scontrol update JobId="$2" EndTime="$(date -d "+$1 seconds" +%FT%T)"; }

# Slurm waits two minutes before it starts a requeued job again, unless root says otherwise; by then
# nothing must be left of the one before, and its second must be over: slurmd does not let a job in
# that begins when it was killed.  Its limit is what was left of the time at ends_in.
restarts()
{
	wait_until 60 has_restarted "$1"
	wait_until 30 is_pending
	cluster wait "$IPP_TEST_CLUSTER" 30
	as root head scontrol update JobId="$job" StartTime=now+2 TimeLimit=30
	wait_until 30 is_running
}

is_pending() { as root head scontrol show job "$job" | grep -q JobState=PENDING; }

# indices: those in the journal, in their order
indices() { as alice n1 ipp-run journal "map.$job.journal" | tail -n +2 | cut -f1 | sort -n; }

# The script alone is told, which tells its map; and a job of srun's own.
start_others()
{
	cat >"$(home)/told.sh" <<-'END'
		#!/bin/bash
		touch up.told
		ipp-run map -u -- sh -c 'sleep 0.3' ::: 1:1001 &
		trap 'kill -USR1 $!' USR1
		wait $! # until the trap has run
		wait $!
		echo code $?
	END
	chmod 755 "$(home)/told.sh"
	told=$(as alice head sbatch --parsable -o told.out -n1 -t 30 --signal=B:USR1@30 --ipp-engines told.sh)
	start_as alice head srun -J direct -n1 -t 30 --signal=USR1@30 --ipp-engines \
		ipp-run map -u -- sh -c 'trap : USR1; touch up.direct; sleep 0.3' ::: 1:1001 2>"$(home)/direct.out"
	wait_until 30 [ -e "$(home)/up.told" ]
	wait_until 30 [ -e "$(home)/up.direct" ]
	direct=$(as root head squeue -h -n direct -o %i)
}

said() { grep -E "^ipp-run map: $1: [1-9][0-9]* of 240 tasks are done and in map.$job.journal; " "$(home)/job.out"; }

others_have_ended() { [ -z "$(as root head squeue -h -t running,completing -j "$told,$direct")" ]; }

@test "--signal's warning drains: a map completes over four jobs, warned, out of time, requeued in its midst, to the end" {
	install -m 755 "$slurm_tests/../../contrib/examples/requeue.sh" "$(home)/requeue.sh"
	rm -f "$(home)"/up.*
	echo 1 >"$(home)/pace"
	: >"$(home)/begun"
	chmod 666 "$(home)/begun" "$(home)/pace"
	start_batch_file requeue.sh --signal=USR1@30 -- \
		sh -c 'exec 2>/dev/null; trap : USR1; echo $0 >>begun; sleep $(cat pace); echo $0' {} ::: 1:241
	start_others
	wait_until 30 n_begun 6
	# slurmctld looks every 30 s, and warns of what ends before the next look but one.
	for each in "$job" "$told" "$direct"; do
		ends_in 55 "$each"
	done
	wait_until 60 has_restarted 1
	said "the job was told to end by SIGUSR1"
	code=0
	wait "$started" || code=$?
	[ "$code" = 120 ]
	grep -E '^ipp-run map: (it was told to begin nothing more|the job was told to end by SIGUSR1): [1-9][0-9]* of 1000' "$(home)/direct.out"
	wait_until 30 others_have_ended
	cat "$(home)/told.out"
	grep -x 'code 120' "$(home)/told.out"
	grep -E '^ipp-run map: it was told to begin nothing more: [1-9][0-9]* of 1000' "$(home)/told.out"
	restarts 1

	n=$(wc -l <"$(home)/begun")
	wait_until 30 n_begun $((n + 4))
	ends_in 12 "$job"
	wait_until 60 has_restarted 2
	# On a slow machine there may be no time left to ask Slurm once more, or its look comes first.
	said "the job (ends in [0-9]+ s(, and tasks take up to [0-9.]+ s)?|was told to end by SIGUSR1)"
	restarts 2

	n=$(wc -l <"$(home)/begun")
	wait_until 30 n_begun $((n + 8))
	as alice head scontrol requeue "$job"
	echo 0.1 >"$(home)/pace"
	restarts 3
	await_batch

	[ "$status" -eq 0 ]
	[ "$output" = "$(seq 240)" ]
	[ "$(indices)" = "$(seq 0 239)" ]
	# Only what ran when the third job was killed has run twice.
	(($(wc -l <"$(home)/begun") <= 240 + 2 * 4))
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
