#!/usr/bin/env bats
# Clients that are interrupted or killed on a cluster of several nodes, and controllers: who says what,
# and that nothing stays (see teardown).

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

# n_sleep HOST SECONDS N: so many tasks there
n_sleep() { [ "$(as root "$1" pgrep -cxf "sleep $2")" = "$3" ]; }
two_sleep() { n_sleep n1 "$1" 1 && n_sleep n2 "$1" 1; }
none_sleeps() { n_sleep n1 "$1" 0 && n_sleep n2 "$1" 0; }

# start_on_terminal COMMAND...: srun --pty of it on a terminal, which types what is sent to it
start_on_terminal()
{
	rm -f "$(home)/ended"
	mkfifo "$BATS_TEST_TMPDIR/typed"
	cluster run "$IPP_TEST_CLUSTER" -t -- srun --pty -N2 -n2 --ipp-engines "$@" \
		<"$BATS_TEST_TMPDIR/typed" >"$BATS_TEST_TMPDIR/shown" 2>&1 3>&- &
	started=$!
	exec 8<>"$BATS_TEST_TMPDIR/typed" # both ways: it has a reader to its end
}

press() { printf '\003' >&8; }

# ended CODE
ended()
{
	status=0
	wait "$started" || status=$?
	exec 8>&-
	output=$(<"$BATS_TEST_TMPDIR/shown")
	[ "$status" = "$1" ]
}

@test "Ctrl-C under --pty cancels and reports" {
	start_on_terminal ipp-run map -- sleep ::: 641 641
	wait_until 20 two_sleep 641
	press
	ended 130
	[[ $output == *"ipp-run map: interrupted"* ]]
}

@test "Ctrl-C under --pty leaves the other clients of a script alone" {
	start_on_terminal bash -c 'trap : INT; ipp-run map -- sleep ::: 642 642; echo code $?; ipp-run apply -- echo well'
	wait_until 20 two_sleep 642
	press
	ended 0
	[[ $output == *"code 130"*well*well* ]]
	none_sleeps 642
}

@test "a second Ctrl-C under --pty leaves a client that hangs at its output" {
	start_on_terminal bash -c 'mkfifo full; exec 7<>full; rm full
		ipp-run map -- sh -c "yes | head -c 1000000; touch ended" ::: 1 >/proc/self/fd/7 7>&-'
	wait_until 20 [ -e "$(home)/ended" ]
	wait_until 20 hangs_at_pipe
	press
	hangs_at_pipe
	press
	ended 130
}

hangs_at_pipe() { as root n1 sh -c 'grep -q pipe_write /proc/$(pgrep -x ipp-run)/wchan'; }

@test "Ctrl-C twice at srun ends it all, for Slurm itself ends the step" {
	start_as alice head srun -N2 -n2 --ipp-engines ipp-run map -- sleep ::: 644 644
	wait_until 20 two_sleep 644
	as root head pkill -INT -x srun
	as root head pkill -INT -x srun
	wait_until 10 none_sleeps 644
	wait "$started" || true
}

@test "kill -9 of a client in a script ends its tasks on all nodes, and no other's" {
	start_batch -N2 -n2 --ipp-engines <<-'END'
		#!/bin/bash
		ipp-run map -- sleep ::: 645 645 &
		until [ -e killed ]; do sleep 0.05; done
		ipp-run apply -- hostname
	END
	rm -f "$(home)/killed"
	wait_until 20 two_sleep 645
	as root n1 pkill -KILL -xf 'ipp-run map -- sleep ::: 645 645'
	wait_until 5 none_sleeps 645
	touch "$(home)/killed"
	await_batch
	[[ $output == *$'n1\nn2' ]]
}

# killed_controller: that of the job on n1, in the midst of a map with sleep 646
killed_controller()
{
	wait_until 20 two_sleep 646
	as root n1 pkill -KILL -x ipp-controller
	since=$SECONDS
	wait_until 5 none_sleeps 646
}

@test "kill -9 of the controller under srun: the client says so, and all is gone within 5 s" {
	start_as alice head srun -N2 -n2 --ipp-engines ipp-run map -- sleep ::: 646 646 >"$BATS_TEST_TMPDIR/shown" 2>&1
	killed_controller
	ended 125
	wait_until 5 nothing_is_left >/dev/null
	[ "$(grep -c '^ipp-run map: lost the controller on n1' <<<"$output")" = 1 ]
	[ "$(grep -c '^ipp-engine: rank [01] lost the controller on n1' <<<"$output")" = 2 ]
}

@test "kill -9 of the controller in a batch job: the script goes on without engines, and all is gone within 5 s" {
	start_batch -N2 -n2 --ipp-engines <<-'END'
		#!/bin/bash
		ipp-run map -- sleep ::: 646 646
		echo code $?
		ipp-run ids
		echo code $?
		until [ -e seen ]; do sleep 0.05; done
	END
	rm -f "$(home)/seen"
	killed_controller
	wait_until 10 eval '[ "$(grep -c code "$(home)/job.out")" = 2 ]'
	wait_until 5 no_process_on_any
	touch "$(home)/seen"
	await_batch
	[ "$(grep -c '^ipp-run map: lost the controller on n1' <<<"$output")" = 1 ]
	[ "$(grep -c '^ipp-engine: rank [01] lost the controller on n1' <<<"$output")" = 2 ]
	[[ $output == *"ipp-run ids: no controller answers at unix:@slurm-ipp/"* ]]
	[ "$(grep -c '^code 125' <<<"$output")" = 2 ]
}

no_process_on_any() { ! processes_on n1 >/dev/null && ! processes_on n2 >/dev/null; }

# start_shared NAME: a cluster on n1 that waits for NAME.go, and then says how many engines it has
start_shared()
{
	rm -f "$(home)/$1".*
	start_as alice head srun -N1 -n2 -w n1 --ipp-engines sh -c "
		touch $1.up; until [ -e $1.go ]; do sleep 0.05; done; ipp-run ids | wc -l" >"$(home)/$1.out" 2>&1
	wait_until 20 [ -e "$(home)/$1.up" ]
}

@test "clusters of one user on a node that they share know nothing of each other; whole nodes serve, too" {
	local first second
	start_shared one
	first=$started
	controller=$(as root n1 pgrep -x ipp-controller)
	start_shared other
	second=$started
	run_srun -N1 -n2 -w n2 --exclusive --ipp-engines sh -c 'ipp-run apply -- hostname'
	[ "$output" = $'n2\nn2' ]
	as root n1 kill -KILL "$controller"
	touch "$(home)"/{one,other}.go
	wait "$first" || true
	wait "$second"
	[ "$(cat "$(home)/other.out")" = 2 ]
	grep "no controller answers" "$(home)/one.out"
}
