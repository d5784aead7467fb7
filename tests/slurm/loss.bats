#!/usr/bin/env bats
# Engines and nodes that are lost in the midst of a map: each result comes once, and the user is told
# which engines, on which node, and why.

# shellcheck disable=SC2154,SC2016,SC2030,SC2031      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

# start_map N: a batch job on two nodes whose map of N tasks writes each result to its file at once,
# and says its exit code; most of them have not ended before `goes`
start_map()
{
	home=$IPP_TEST_CLUSTER/home/alice
	rm -f "$home"/{results,notices,goes,goes_on}
	start_batch -N2 -n4 --ntasks-per-node=2 --no-kill --ipp-engines <<-END
		#!/bin/bash
		ipp-run map -- sh -c 'sleep 0.1; until [ \$0 -lt 9 ] || [ -e goes ]; do sleep 0.05; done; echo \$0' {} ::: \$(seq $1) >results 2>notices
		echo "code \$?" >>notices
		until [ -e goes_on ]; do sleep 0.05; done
		ipp-run ids >ids
	END
	wait_until 30 some_done
}

# start_rows: the same, of a map over the rows of an array
start_rows()
{
	home=$IPP_TEST_CLUSTER/home/alice
	rm -f "$home"/{results,notices,goes_on}
	cp "$(realpath "${B:-build/release}")/tests/modules/sample.so" "$slurm_tests/../data/X.npy" "$home"
	chmod 644 "$home"/{sample.so,X.npy}
	start_batch -N2 -n4 --ntasks-per-node=2 --no-kill --ipp-engines <<-END
		#!/bin/bash
		ipp-run map ./sample.so:row_sum @X.npy >results 2>notices
		echo "code \$?" >>notices
		until [ -e goes_on ]; do sleep 0.05; done
		ipp-run ids >ids
	END
	wait_until 30 some_done
}

some_done() { [ -s "$home/results" ]; }
goes() { touch "$home/goes"; }
map_ended() { grep -q '^code' "$home/notices"; }
all_once() { [ "$(<"$home/results")" = "$(seq "$1")" ]; }
noticed() { grep -E "$1" "$home/notices"; }

finish()
{
	touch "$home/goes_on"
	await_batch
	[ "$status" = 0 ]
}

show()
{
	cat "$home/notices"
	cat "$IPP_TEST_CLUSTER/home/alice/job.out"
}

@test "an engine on another node is killed: it is named, and started again" {
	start_map 60
	as root n2 pkill -KILL -x -o ipp-engine
	goes
	wait_until 30 map_ended
	show
	all_once 60
	noticed "^ipp-run: engine [0-3] on n2 was lost: its process ended"
	[ "$(noticed 'was lost' | wc -l)" = 1 ]
	noticed "^code 0"
	finish
	[ "$(wc -l <"$home/ids")" = 4 ]
}

@test "rows of an array give on two nodes what they give on one, though an engine is killed" {
	start_rows
	as root n2 pkill -KILL -x -o ipp-engine
	wait_until 30 map_ended
	show
	noticed "^ipp-run: engine [0-3] on n2 was lost: its process ended"
	noticed "^code 0"
	finish
	[ "$(wc -l <"$home/results")" = 500 ]
	as alice n1 ipp-run map --engines 8 ./sample.so:row_sum @X.npy | cmp - "$home/results"
}

@test "all of ours on a node is killed: its engines are named, and the map completes on the other" {
	start_map 60
	n_lost=$(as root n2 pgrep -c -x ipp-engine)
	as root n2 pkill -KILL 'ipp-(guard|engine|worker)'
	goes
	wait_until 30 map_ended
	show
	all_once 60
	[ "$(noticed '^ipp-run: engine [0-3] on n2 was lost: its process ended' | wc -l)" = "$n_lost" ]
	noticed "^code 0"
	finish
	[ "$(wc -l <"$home/ids")" = $((4 - n_lost)) ]
}

@test "a node crashes: its engines are named, and the map completes on the other" {
	start_map 60
	n_lost=$(as root n2 pgrep -c -x ipp-engine)
	cluster crash "$IPP_TEST_CLUSTER" n2
	goes
	wait_until 30 map_ended
	show
	all_once 60
	[ "$(noticed '^ipp-run: engine [0-3] on n2 was lost: it has been silent for 8 s; is it stopped, or its node cut off\?' | wc -l)" = "$n_lost" ]
	[ "$(noticed '^ipp-run: nothing is heard of n2 any more: if it is down, Slurm ends the job soon, unless it was started with sbatch --no-kill' | wc -l)" = 1 ]
	noticed "^code 0"
	# Slurm has noticed by now, or does soon: that does not end the job.
	wait_until 30 n2_is_down
	finish
	[ "$(wc -l <"$home/ids")" = $((4 - n_lost)) ]
	cluster boot "$IPP_TEST_CLUSTER" n2
	cluster wait "$IPP_TEST_CLUSTER" 30
}

n2_is_down() { as root head sinfo -hN -n n2 -o %T | grep -q down; }

@test "a node is cut off: its engines are named, and refused when it comes back" {
	start_map 60
	n_lost=$(as root n2 pgrep -c -x ipp-engine)
	cluster link "$IPP_TEST_CLUSTER" n2 down
	goes
	wait_until 30 map_ended # aim: noticed within 10 s
	show
	all_once 60
	[ "$(noticed '^ipp-run: engine [0-3] on n2 was lost: (it has been silent for 8 s; is it stopped, or its node cut off\?|.*timed out)' | wc -l)" = "$n_lost" ]
	[ "$(noticed '^ipp-run: nothing is heard of n2 any more' | wc -l)" = 1 ]
	noticed "^code 0"
	# The engines themselves give up as well, within 10 s, and do not come back with the link.
	wait_until 30 no_engine_on_n2
	cluster link "$IPP_TEST_CLUSTER" n2 up
	finish
	[ "$(wc -l <"$home/ids")" = $((4 - n_lost)) ]
	[ "$(grep -c '^ipp-engine: rank [0-3] lost the controller on n1 (.*timed out): leaving' <<<"$output")" = "$n_lost" ]
	cluster wait "$IPP_TEST_CLUSTER" 30
}

no_engine_on_n2() { ! as root n2 pgrep -x ipp-engine; }

@test "a node that comes back when its loss was just noticed is refused: its engines end, and leave nothing" {
	start_map 60
	n_lost=$(as root n2 pgrep -c -x ipp-engine)
	cluster link "$IPP_TEST_CLUSTER" n2 down
	goes
	wait_until 30 noticed "was lost"
	cluster link "$IPP_TEST_CLUSTER" n2 up
	wait_until 30 map_ended
	show
	all_once 60
	noticed "^code 0"
	wait_until 30 none_of_ours_on_n2
	finish
	[ "$(wc -l <"$home/ids")" = $((4 - n_lost)) ]
	[ "$(grep -c '^ipp-engine: rank [0-3] lost the controller on n1 (.*): leaving' <<<"$output")" = "$n_lost" ]
	cluster wait "$IPP_TEST_CLUSTER" 30
}

none_of_ours_on_n2() { ! as root n2 pgrep 'ipp-(engine|worker)|sleep'; }

@test "a node that is cut off for a moment loses nothing" {
	start_map 60
	cluster link "$IPP_TEST_CLUSTER" n2 down
	goes
	since=$SECONDS
	wait_until 5 eval '((SECONDS >= since + 2))'
	cluster link "$IPP_TEST_CLUSTER" n2 up
	wait_until 30 map_ended
	show
	all_once 60
	[ "$(<"$home/notices")" = "code 0" ]
	finish
	[ "$(wc -l <"$home/ids")" = 4 ]
}
