#!/usr/bin/env bats
# What the kernel's OOM killer ends, in the control group of a real step.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

@test "a function and a command that run out of memory are told so, and the rest goes on" {
	need_cgroups
	act=$(realpath "${B:-build/release}")/tests/modules/fragile.so:act
	cp "${act%:*}" "$IPP_TEST_CLUSTER/home/alice/fragile.so"
	run_sbatch -N2 -n2 --mem=150 --ipp-engines <<-'END'
		#!/bin/bash
		ipp-run push v=1
		before=$(ipp-run ids)
		ipp-run map -k --retries 1 ./fragile.so:act ::: 0 eat 2 3
		echo "code $?"
		ipp-run map -k -- sh -c '[ $1 != 1 ] || { echo starving >&2; exec tail /dev/zero; }; echo $1' sh ::: 0 1 2 3
		echo "code $?"
		ipp-run map -k -- sh -c '[ $1 != 1 ] || { tail /dev/zero; exit; }; echo $1' sh ::: 0 1
		echo "code $?"
		[ "$(ipp-run ids)" = "$before" ] && ipp-run pull v
	END
	echo "$output"
	[[ $output == *"hungry"*"item 1 on engine "?" of n"?": its worker was killed by signal 9 (Killed); out of memory: the kernel's OOM killer was at work"* ]]
	[[ $output == *"code 1"*"starving"*"item 1 on engine "?" of n"?": sh was killed by signal 9 (Killed); out of memory: "*"code 1"* ]]
	[[ $output == *"item 1 on engine "?" of n"?": sh exited with code 137; out of memory: "*"code 1"* ]]
	[ "$(grep -c '^1$' <<<"$output")" = 2 ] # what was pushed is on both engines
}
