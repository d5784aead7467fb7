#!/usr/bin/env bats
# What a map did is in its journal, whatever is lost.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

# indices: those in the journal, in their order
indices() { as alice n1 ipp-run journal journal | tail -n +2 | cut -f1 | sort -n; }
has_results() { (($(indices 2>/dev/null | wc -l) >= $1)); }

@test "the controller is killed in the midst of a map, and another run completes it" {
	start_as alice head srun -N2 -n4 --ipp-engines ipp-run map --journal journal \
		-- sh -c 'sleep 0.1; echo $0' {} ::: 0:200 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	wait_until 30 has_results 10
	as root n1 pkill -KILL -x ipp-controller
	status=0
	wait "$started" || status=$?
	[ "$status" != 0 ]
	wait_until 10 nothing_is_left
	[ -z "$(indices | uniq -d)" ]
	run ! has_results 200
	run_srun -N2 -n4 --ipp-engines ipp-run map --journal journal --resume -- sh -c 'sleep 0.1; echo $0' {} ::: 0:200
	[ "$status" = 0 ]
	[ "$output" = "$(seq 0 199)" ]
	[ "$(indices)" = "$(seq 0 199)" ]
}
