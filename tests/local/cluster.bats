#!/usr/bin/env bats
# A local cluster that stays (ipp-run start), and one that is started by hand.

load helper

ids() { ipp-run ids | sed -n 's/^\([0-9]*\) host=[^ ]* pid=[0-9]* rank=\1$/\1/p' | tr '\n' ' '; }
n_ids() { [ "$(ids | wc -w)" = "$1" ]; }
file() { echo "$HOME/.slurm-ipp/local-$(uname -n).json"; }

@test "start, ids, two loo, stop" {
	start 3
	[ "$(ids)" = "0 1 2 " ]
	engines=$(ours ipp-engine)
	run -0 ipp-run loo --trees 2 --json
	[ "$(jq .engines <<<"$output")" = 3 ]
	run -0 ipp-run loo --trees 2 --json
	[ "$(ours ipp-engine)" = "$engines" ] # the same as before
	ipp stop
	[ "$status" = 0 ]
	[ "$output$stderr" = "" ]
	wait_until 5 none_left
	[ ! -e "$(file)" ]
	refused "there is no cluster here" ids
}

@test "the connection file is private" {
	start 1
	[ "$(stat -c %a "$(file)")" = 600 ]
	[ "$(stat -c %a "$HOME/.slurm-ipp")" = 700 ]
	ipp-run stop
}

@test "links that somebody put where a cluster leaves its files lead nowhere" {
	mkdir -m 700 .slurm-ipp
	echo mine >mine
	ln -s "$PWD/mine" "$(file)"
	refused "cannot open the connection file $(file): Too many levels of symbolic links" start -n 1
	rm "$(file)"
	log=$(file)
	log=${log%.json}.log
	ln -s "$PWD/mine" "$log"
	refused "cannot write the engines' log $log: Too many levels of symbolic links" start -n 1
	[ "$(cat mine)" = mine ]
	[ ! -e "$(file)" ]
}

@test "who waits for more engines than were started is told so, after parts of a second where those will do" {
	start 1
	ipp wait -n 1 --timeout 0.5
	[ "$status" = 0 ]
	ipp wait -n 9 --timeout 0.2
	show
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run wait: 1 of 9 engines after 0.2 s; missing engine 1 and others; those of ipp-run start and --ipp-engines are as many as were asked for"* ]]
	ipp-run stop
	wait_until 5 none_left
	ipp wait --timeout 0.2
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run wait: no controller after 0.2 s; start ipp-controller"* ]]
	refused "--timeout 0: give a number of seconds from 0.001" wait --timeout 0
}

@test "a second start is refused and the first lives" {
	start 1
	ipp start -n 1
	show
	[ "$status" = 125 ]
	[[ $stderr == *"a cluster is running here already"* ]]
	[ "$(ids)" = "0 " ]
	ipp-run stop
}

@test "of several starts at once one starts a cluster" {
	for i in 1 2 3 4; do
		ipp-run start -n 1 >said.$i 2>&1 &
	done
	wait
	cat said.*
	[ "$(cat said.* | grep -c '^1 engine is ready')" = 1 ]
	[ "$(cat said.* | grep -c 'ipp-run start: a cluster is running here already')" = 3 ]
	n_run ipp-controller 1
	ipp-run stop
	wait_until 5 none_left
}

# slow: programs of which no guard starts an engine, in the place of ours
slow()
{
	mkdir slow
	cp "$programs"/ipp-{run,controller} slow
	printf '#!/bin/sh\nexec sleep 1000\n' >slow/ipp-guard
	chmod +x slow/ipp-guard
	PATH=$PWD/slow:$PATH
}

@test "a start whose engines do not come says so in time and leaves nothing" {
	slow
	says "0 of 1 engines after 0." start -n 1 --timeout 1
	[ ! -e "$(file)" ]
	wait_until 10 n_run ipp-controller 0
	kill "$(ours sleep)"
}

@test "of two starts at once of which the first does not get on the second says that one runs" {
	slow
	ipp-run start -n 1 2>first.log &
	wait_until 30 [ -e "$(file)" ]
	says "a cluster is running here already" start -n 1 --timeout 20
	n_run ipp-controller 1
	ipp stop
	show
	[ "$status" = 0 ]
	run -125 wait %1
	cat first.log
	[ "$(cat first.log)" = "slurm-ipp: the controller ended before it was ready: a client stopped the cluster" ]
	[ ! -e "$(file)" ]
	kill "$(ours sleep)"
}

@test "nothing is left of a start that was killed before its engines were ready" {
	slow
	ipp-run start -n 1 2>start.log &
	wait_until 30 some_run sleep
	kill -9 $!
	wait_until 10 n_run ipp-controller 0
	PATH=$programs:$PATH start 1
	[ "$(ids)" = "0 " ]
	kill "$(ours sleep)"
	ipp-run stop
	wait_until 5 none_left
}

@test "a start waits for one that holds the log as long as it was told, and names the log" {
	start 1
	ipp-run stop
	wait_until 5 none_left
	log=$(file)
	log=${log%.json}.log
	python3 -c 'import fcntl, signal, sys
log = open(sys.argv[1], "a")
fcntl.lockf(log, fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()' "$log" >said 2>&1 3>&- &
	holder=$!
	wait_until 30 [ -s said ]
	refused "another ipp-run start or stop holds $log and does not go on: fuser names its process" start -n 1 --timeout 1
	kill "$holder"
}

@test "a log that another start's end removed is locked for nobody" {
	for i in $(seq 10); do
		ipp-run start -n 1 >said.1 2>&1 &
		ipp-run start -n 1 >said.2 2>&1 &
		ipp-run stop >/dev/null 2>&1 || true
		wait
		[ "$(ours ipp-controller | wc -l)" -le 1 ]
		ipp-run stop || true
		wait_until 5 none_left
	done
}

@test "start and stop say that a controller which is stopped does not answer" {
	start 1
	controller=$(ours ipp-controller)
	kill -STOP "$controller"
	says "it does not answer" start -n 1 --timeout 1
	says "it does not answer" stop
	kill -CONT "$controller"
	[ "$(ids)" = "0 " ]
	ipp-run stop
}

@test "the file of a controller that was killed is passed over, and the next start replaces it" {
	start 2
	kill -9 "$(ours ipp-controller)"
	wait_until 5 none_left
	[ -e "$(file)" ]
	refused "there is no cluster here" ids
	start 1
	[ "$(ids)" = "0 " ]
	ipp-run stop
}

@test "a client elsewhere finds it by IPP_CONNECT" {
	start 1
	connect=file:$(file)
	HOME=/nonexistent IPP_CONNECT=$connect ipp apply -- echo here
	[ "$output" = here ]
	SLURM_JOB_ID=77 IPP_CONNECT=$connect ipp ids # in another job
	[ "$status" = 125 ]
	[[ $stderr == *"there is no cluster here"* ]]
	ipp-run stop
}

@test "clients share a cluster" {
	start 2
	ipp-run map -- sh -c 'echo a$1' sh ::: $(seq 50) >a &
	ipp-run map -- sh -c 'echo b$1' sh ::: $(seq 50) >b
	wait %1
	[ "$(cat a)" = "$(seq -f a%g 50)" ]
	[ "$(cat b)" = "$(seq -f b%g 50)" ]
	ipp-run stop
}

@test "stop ends a client that is in the midst of a map" {
	start 1
	ipp-run map -- sleep 1000 ::: 1 2>client.log &
	wait_until 5 some_run sleep
	ipp-run stop
	run ! wait %1
	grep "lost the controller" client.log
	wait_until 5 none_left
}

# ---- by hand ----

by_hand() { ipp-controller "$@" >>controller.log 2>&1 3>&- & }
engine() { ipp-engine >>engines.log 2>&1 3>&- & }

@test "by hand: controller first" {
	by_hand
	engine
	engine
	wait_until 10 n_ids 2
	ipp apply -- echo hi
	[ "$output" = $'hi\nhi' ]
	ipp-run stop
	wait_until 5 none_left
	[ ! -e "$(file)" ]
}

@test "by hand: engines first" {
	engine
	engine
	wait_until 5 n_run ipp-engine 2
	by_hand
	wait_until 10 n_ids 2
	run -0 ipp-run loo --trees 2 --json
	[ "$(jq .engines <<<"$output")" = 2 ]
	kill -TERM "$(ours ipp-controller)"
	wait_until 5 none_left
	[ ! -e "$(file)" ]
}

@test "by hand: an engine without a controller gives up by name" {
	run ipp-engine --timeout 0.2
	[ "$status" = 125 ]
	[[ $output == *"no controller that answers wrote $(file) within 0.2 s"* ]]
	wait_until 5 none_left
}

@test "by hand: no more engines than --engines" {
	by_hand --engines 1
	engine
	wait_until 10 n_ids 1
	run ipp-engine
	[ "$status" = 125 ]
	[[ $output == *"no place for an engine"* ]]
	ipp-run stop
}

@test "by hand: wrong options are one sentence" {
	run ipp-controller --engines 0
	[ "$status" = 125 ]
	[ "${#lines[@]}" = 1 ]
	run ipp-controller --ports 5-2
	[ "$status" = 125 ]
	[[ $output == *"--ports 5-2: give a range such as 50000-50999" ]]
	run ipp-controller --interface none0
	[ "$status" = 125 ]
	[[ $output == *none0* ]]
	HOME='' run ipp-controller
	[ "$status" = 125 ]
	[[ $output == *"HOME is not set"* ]]
}

@test "who reads what start says does not wait for the cluster's end" {
	said=$(timeout 20 ipp-run start -n 1 2>&1)
	[[ $said == *"1 engine is ready"* ]]
	[ -f "$HOME/.slurm-ipp/local-$(uname -n).log" ]
	ipp-run stop
}

@test "start makes an engine for each CPU that it may use" {
	taskset -c 0 ipp-run start
	[ "$(ipp-run ids | wc -l)" = 1 ]
	ipp-run stop
}

@test "a second controller of a job, by hand, is refused and leaves the first its file" {
	ipp-run start -n 1
	run -125 --separate-stderr ipp-controller
	[[ $stderr == "ipp-controller: one of this job runs already"* ]]
	[ "$(ipp-run ids | wc -l)" = 1 ]
	ipp-run stop
}

@test "engines started before the controller pass over the file of one that was killed" {
	start 1
	cp "$(file)" stale
	ipp-run stop
	wait_until 5 none_left
	cp -p stale "$(file)"
	ipp-engine 2>engine.log 3>&- &
	ipp-controller 2>controller.log 3>&- &
	wait_until 20 n_ids 1
	ipp-run stop
	wait_until 5 none_left
}

@test "a controller that is stopped is told, not waited for" {
	ipp-controller 2>controller.log 3>&- &
	controller=$!
	wait_until 5 [ -e "$(file)" ]
	kill -STOP "$controller"
	run -125 --separate-stderr ipp-run wait -n 1 --timeout 1
	kill -CONT "$controller"
	show
	kill "$controller"
	wait_until 5 none_left
}
