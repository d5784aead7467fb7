#!/usr/bin/env bats
# scancel at each stage of the start: whatever is there by then goes, on all nodes (see teardown).

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

# hang PROGRAM HOST: there it does nothing, from now to the end of the test
hang()
{
	hung=$IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp/$1 hung_on=$2
	printf '#!/bin/sh\ntouch /home/alice/hangs\nexec sleep 631\n' >"$(home)/hang"
	chmod 755 "$(home)/hang"
	rm -f "$(home)/hangs"
	as root "$hung_on" mount --bind /home/alice/hang "$hung"
}

teardown()
{
	[ -z "${hung-}" ] || as root "$hung_on" umount "$hung"
	check_what_is_left
}

start_step() { start_as alice head srun -N2 -n4 --job-name=startup --ipp-engines sleep 632; }

start_script()
{
	start_batch -N2 -n4 --job-name=startup --ipp-engines <<-'END'
		#!/bin/bash
		sleep 632
	END
}

# cancelled: all is gone within what KillWait and slurmd's own cleaning up take
cancelled()
{
	as alice head scancel --name=startup
	wait_until 15 everything_is_gone
	[ -z "${started-}" ] || wait "$started" || true
}

everything_is_gone() { nothing_is_left >/dev/null && [ -z "$(as root head squeue -h)" ]; }

# cancelled_while PROGRAM HOST START: that does nothing there, and all others wait for it
cancelled_while()
{
	hang "$1" "$2"
	$3
	wait_until 20 [ -e "$(home)/hangs" ]
	cancelled
}

@test "before the first rank has come to PMIx" { cancelled_while ipp-launch n1 start_step; }
@test "while the first rank waits for others in the fence" { cancelled_while ipp-launch n2 start_step; }
@test "while the controller waits for an engine" { cancelled_while ipp-guard n2 start_step; }
@test "while a batch script waits for its step's ranks" { cancelled_while ipp-launch n2 start_script; }
@test "while a batch script waits for an engine" { cancelled_while ipp-worker n2 start_script; }

@test "at any moment of the start and just after" {
	RANDOM=20261124
	for start in start_step start_script start_step start_script; do
		$start
		ms=$((RANDOM % 800))
		read -rt "0.$(printf %03d $ms)" <> <(:) || true
		echo "$start, cancelled after $ms ms"
		cancelled
	done
}
