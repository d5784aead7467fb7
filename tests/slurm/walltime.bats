#!/usr/bin/env bats
# The end of a job: what is not begun any more, and how it goes on.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
# shellcheck disable=SC2030,SC2031      # each test is a subshell of its own
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

# A limit is minutes long for users; root may set its end to the second.
ends_in()
{
	as root head scontrol update JobId="$job" EndTime="$(date -d "+$1 seconds" +%FT%T)"
}

# start_timed SECONDS STEP...: a batch job that ends in so many; its script is that step
start_timed()
{
	local seconds=$1
	shift
	rm -f "$(home)"/{timed,begun}
	{
		echo '#!/bin/bash'
		echo 'touch up; until [ -e timed ]; do sleep 0.05; done'
		echo "$*"
		echo 'echo code $?'
	} >"$(home)/job.sh"
	chmod 755 "$(home)/job.sh"
	rm -f "$(home)/up"
	start_batch_file job.sh -N2 -n2 -t 30
	wait_until 30 [ -e "$(home)/up" ]
	ends_in "$seconds"
	touch "$(home)/timed"
}

# in_time SECONDS TEST: it is true of a job that ends in so many, or, for machines that are too slow for
# that, in two or four times as many
in_time()
{
	"$2" "$1" || "$2" $(($1 * 2)) || "$2" $(($1 * 4))
}

not_begun()
{
	start_timed "$1" "srun --ipp-engines ipp-run map -- sh -c 'sleep 2; echo \$0' {} ::: $(seq -s' ' 60)"
	await_batch
	echo "$output"
	[[ $output == *"ipp-run map: the job ends in "*" s, and tasks take up to "[2-9]*" s: "[1-9]*" of 60 tasks have ended; "* &&
		$output == *"code 120" ]]
}

@test "tasks that cannot end before the job are not begun, and the map ends in time, with code 120" {
	in_time 12 not_begun
}

given_more()
{
	start_timed "$1" "srun --ipp-engines ipp-run map -- sh -c 'touch begun; sleep 3; echo \$0' {} ::: 1 2 3 4"
	wait_until 60 begun_or_over
	ends_in 600
	await_batch
	echo "$output"
	[ "$output" = "$(seq 4)"$'\ncode 0' ]
}

begun_or_over() { [ -e "$(home)/begun" ] || job_has_ended; }

@test "a job that is given more time goes on with its map" {
	in_time 10 given_more
}

given_up()
{
	start_timed "$1" "srun --ipp-engines ipp-run map -u --joblog log -- sh -c 'sleep \$0; echo \$0' {} ::: 0 1000 1000"
	await_batch
	echo "$output"
	[[ $output == *"ipp-run map: the job ends in "?" s: 1 of 3 tasks have ended"* && $output == *"code 120" ]] &&
		[ "$(wc -l <"$(home)/log")" = 2 ]
}

@test "a task that is longer than expected is given up in time to save what is done" {
	in_time 9 given_up
}

# start_signalled N COMMAND: a batch job with engines and a map of N, whose tasks run until there is a
# file go
start_signalled()
{
	rm -f "$(home)/go" "$(home)"/begun.*
	start_batch -N2 -n2 --ipp-engines <<-END
		#!/bin/bash
		ipp-run map -k -- sh -c '$2 touch begun.\$0; until [ -e go ]; do sleep 0.05; done; echo \$0; sleep 0.2' {} ::: $(seq -s' ' "$1")
		code=\$?
		wait
		echo code \$code; ipp-run ids | wc -l
	END
	wait_until 30 [ -e "$(home)/begun.2" ]
}

@test "USR1 to the steps, as of --signal, drains what runs there" {
	start_signalled 60 "trap : USR1;"
	as alice head scancel -s USR1 "$job"
	touch "$(home)/go"
	await_batch
	[[ $output == *"ipp-run map: the job was told to end by SIGUSR1: "*" of 60 tasks have ended; "* ]]
	[[ $output == *$'code 120\n2' ]]
}

@test "TERM to the steps of a job that lives on drains them for as long as it takes" {
	start_signalled 60 "trap : TERM;"
	as alice head scancel -s TERM "$job"
	since=$SECONDS
	wait_until 6 eval '((SECONDS >= since + 4))' # KillWait is 3
	touch "$(home)/go"
	await_batch
	[[ $output == *"ipp-run map: the job was told to end by SIGTERM: "*" of 60 tasks have ended; "* ]]
	[[ $output == *$'code 120\n2' ]]
}

@test "all other signals of scancel -s leave the engines as they are" {
	start_signalled 12 ""
	for signal in HUP INT QUIT USR2 URG ALRM ABRT STOP TSTP TTIN TTOU CONT; do
		as alice head scancel -s $signal "$job"
	done
	touch "$(home)/go"
	await_batch
	[ "$output" = "$(seq 12)"$'\ncode 0\n2' ]
}

@test "scancel -s KILL ends all of it" {
	start_signalled 12 ""
	as alice head scancel -s KILL "$job"
	await_batch
	[[ $output == *"ipp-run map: lost the controller on n1"* ]]
}
