#!/usr/bin/env bats
# A cluster at work, and those who have no business with it: another user on its nodes, and somebody
# elsewhere on the network who saw all that went over it.  They get nothing, and disturb nobody.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

setup()
{
	need_root
	intruder=$IPP_TEST_CLUSTER/intruder             # where all hosts see it
	install -m 755 "$slurm_tests/intruder" "$intruder"
}

# start_work: alice's job on both nodes, which does one map after the other until stop_work
start_work()
{
	out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err
	rm -f "$IPP_TEST_CLUSTER/home/alice/stop"
	start_as alice head srun -N2 -n4 --ipp-engines bash -c '
		until [ -e stop ]; do
			[ "$(ipp-run map -- sh -c "sleep 0.01; echo \$0" {} ::: {1..40})" = "$(seq 40)" ] || exit 9
			echo round
		done' >"$out" 2>"$err"
	wait_until 30 grep -q round "$out"
}

# Two maps more, begun while the attack went on or after it, and no engine was lost.
goes_on()
{
	local before
	before=$(grep -c round "$out")
	wait_until 30 eval "[ \$(grep -c round '$out') -ge $((before + 2)) ]"
}

stop_work()
{
	goes_on
	touch "$IPP_TEST_CLUSTER/home/alice/stop"
	wait "$started"
	[ ! -s "$err" ] || { cat "$err"; false; }
}

# gets_nothing HOST ARGUMENTS...: what bob's intruder prints
gets_nothing()
{
	run as bob "$1" "$intruder" "${@:2}"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

pid_of() { as root n1 pgrep -o "$1"; }
port_of_controller() { as root n1 ss -4ltnpH | sed -nE 's/.*:([0-9]+) .*ipp-controller.*/\1/p'; }

make_pem()
{
	pem=$IPP_TEST_CLUSTER/home/bob/bob.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=slurm-ipp \
		-keyout "$pem" -out - 2>/dev/null >"$pem.certificate"
	cat "$pem.certificate" >>"$pem"
	chown 20002 "$pem"
}

# descriptors, and the proportional set in kB
open_of() { as root n1 find "/proc/$1/fd" -type l | wc -l; }
memory_of() { as root n1 sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$1/smaps_rollup"; }

@test "another user on a node gets a closed connection from each of our sockets" {
	start_work
	gets_nothing n1 unix slurm-ipp/
	gets_nothing n2 unix slurm-ipp/
	stop_work
}

@test "another user on a node sees nothing of our processes, and cannot signal them" {
	start_work
	local pids
	mapfile -t pids < <(as root n1 pgrep -f '/ipp-(controller|guard|engine|worker)')
	[ "${#pids[@]}" -ge 7 ]
	gets_nothing n1 peek "${pids[@]}"
	stop_work
}

@test "another user who connects without end disturbs nobody" {
	start_work
	local n_open controller
	controller=$(pid_of ipp-controller)
	n_open=$(open_of "$controller")
	start_as bob n1 "$intruder" knock slurm-ipp/ 3 2>"$BATS_TEST_TMPDIR/knocked"
	local knocking=$started work
	goes_on
	wait "$knocking"
	(($(tail -n 1 "$BATS_TEST_TMPDIR/knocked") > 1000))
	(($(open_of "$controller") <= n_open + 20))
	stop_work
}

@test "nobody else can read or write what a cluster by hand leaves in files" {
	as bob n1 mkdir -p -m 755 /tmp/trap/.slurm-ipp
	run_sbatch -N1 -n1 <<-'END'
		#!/bin/bash
		umask 0
		ipp-controller &
		until [ -e .slurm-ipp/$SLURM_JOB_ID.json ]; do sleep 0.05; done
		stat -c '%a %U' .slurm-ipp .slurm-ipp/*.json
		ipp-run stop
		wait
		mkdir -m 777 elsewhere elsewhere/.slurm-ipp
		HOME=$PWD/elsewhere ipp-controller
		echo "code $?"
		mkdir linked
		ln -s /tmp/trap/.slurm-ipp linked/.slurm-ipp
		for HOME in /tmp/trap $PWD/linked; do
			ipp-controller
		done
		ls -A /tmp/trap/.slurm-ipp
		echo end
	END
	as bob n1 rm -r /tmp/trap
	[[ $output == $'700 alice\n600 alice\n'* ]]
	[[ $output == *"elsewhere/.slurm-ipp must be a folder of yours in which nobody else can write"* ]]
	[[ $output == *"code 125"* ]]
	for folder in /tmp/trap /home/alice/linked; do
		grep "$folder/.slurm-ipp must be a folder of yours in which nobody else can write" <<<"$output"
	done
	[[ $output == *"chmod 700 it"$'\nend' ]]
}

@test "from elsewhere on the network there is nothing to be had, by whatever protocol" {
	start_work
	make_pem
	gets_nothing n2 strange n1 "$(port_of_controller)" bob.pem
	gets_nothing head strange n1 "$(port_of_controller)" bob.pem
	stop_work
}

@test "what was captured can be replayed, and gets nothing" {
	local tape=$IPP_TEST_CLUSTER/tape tapping
	start_as root n2 "$intruder" capture n1 "$tape"
	tapping=$started
	wait_until 10 [ -e "$tape.ready" ]
	start_work
	kill "$tapping"
	wait_until 10 [ -s "$tape" ]
	gets_nothing head replay "$tape" n1 "$(port_of_controller)"
	stop_work
}

@test "a flood of handshakes costs bounded memory, and the work goes on" {
	start_work
	make_pem
	local controller memory n_open port flooding
	controller=$(pid_of ipp-controller)
	memory=$(memory_of "$controller")
	n_open=$(open_of "$controller")
	port=$(port_of_controller)
	start_as bob head "$intruder" flood n1 "$port" 4 bob.pem 2>/dev/null
	flooding=$started
	goes_on
	wait "$flooding"
	(($(memory_of "$controller") < memory + 80000 + $(quarantine_kb)))
	(($(open_of "$controller") <= n_open + 300))
	wait_until 20 eval "(( \$(open_of $controller) <= n_open + 20 ))"
	stop_work
}
