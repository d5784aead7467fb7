#!/usr/bin/env bats
# Engines, controllers and clients that are killed: what goes on, what is said, and that nothing
# stays.

load helper

pid_of_engine() { ipp-run ids | sed -n "s/^$1 .*pid=\([0-9]*\) .*/\1/p"; }
replaced() { local new; new=$(pid_of_engine "$1"); [ -n "$new" ] && [ "$new" != "$2" ]; }

# The worker of an engine is at work.
busy() { [[ $(ps -o stat= --ppid "$1") == R* ]]; }

predictions() { jq -c .predictions; }

@test "an engine killed by one of its tasks is started again, and each result comes once" {
	# shellcheck disable=SC2016
	ipp map --engines 2 -- sh -c '
		if [ $1 = 5 ] && mkdir once 2>/dev/null; then
			kill -9 $(awk "{print \$4}" /proc/$PPID/stat)
		fi
		echo $1' sh ::: $(seq 40)
	show
	[ "$status" = 0 ]
	[ "$output" = "$(seq 40)" ]
	[[ $stderr == "ipp-run: engine "?" on "*" was lost: its process ended; its "*" tasks go elsewhere" ]]
	wait_until 5 none_left
}

@test "a silent engine is given up within 10 s, and each result comes once" {
	# Its guard, which would notice sooner, is stopped with it.
	# shellcheck disable=SC2016
	ipp map --engines 2 -- sh -c '
		if [ $1 = 5 ] && mkdir once 2>/dev/null; then
			engine=$(awk "{print \$4}" /proc/$PPID/stat)
			kill -STOP $(awk "{print \$4}" /proc/$engine/stat) $engine
		fi
		echo $1' sh ::: $(seq 40)
	show
	[ "$status" = 0 ]
	[ "$output" = "$(seq 40)" ]
	[[ $stderr == "ipp-run: engine "?" on "*" was lost: it has been silent for 8 s; is it stopped?; its "*" tasks go elsewhere" ]]
}

@test "what an engine that is killed leaves running is ended by its guard" {
	start 1
	ipp-run execute 'setsid sleep 1000 & sleep 1001 &'
	wait_until 10 n_run sleep 2
	kill -9 "$(ours ipp-engine)"
	wait_until 10 n_run sleep 0
	ipp-run stop
}

@test "a stopped engine comes back" {
	start 1
	engine=$(ours ipp-engine)
	kill -STOP "$engine"
	wait_until 10 replaced 0 "$engine"
	ipp-run stop
}

@test "a worker that is stopped is replaced within 10 s, and its task is told why" {
	start 2
	ids=$(ipp-run ids)
	ipp map -k "$programs/tests/modules/fragile.so:act" ::: 0 stop 2
	show
	[ "$status" = 1 ]
	[ "$output" = $'0\n2' ]
	[[ $stderr == "ipp-run: item 1 on engine "?" of "*": its worker was stopped by a signal and did not go on, and was killed" ]]
	[ "$(ipp-run ids)" = "$ids" ]
	ipp-run stop
}

@test "time for which a step is suspended is charged to no task, of whichever runtime" {
	start 3
	mkfifo command line gate
	limited() { { ipp-run "$1" --task-timeout 4 "${@:2}" && echo ended >>well; } & }
	limited apply --targets 0 -- cat command
	limited execute --targets 1 'cat line'
	limited map --targets 2 "$programs/tests/modules/sample.so:store_after_gate" ::: x
	exec 5>./command 6>./line 7>./gate # they have begun
	all=$(ours 'ipp-.*')
	# shellcheck disable=SC2086
	kill -STOP $all
	since=$SECONDS
	wait_until 10 eval '((SECONDS > since + 4))'
	# shellcheck disable=SC2086
	kill -CONT $all
	since=$SECONDS
	wait_until 10 eval '((SECONDS > since))'
	echo >&7
	exec 5>&- 6>&- 7>&-
	wait
	[ "$(wc -l <well)" = 3 ]
	[ "$(ipp-run pull --targets 2 w)" = 42 ]
	ipp-run stop
}

@test "a guard that is stopped holds up nothing, neither work nor the end" {
	start 1
	# shellcheck disable=SC2046
	kill -STOP $(ours ipp-guard)
	ipp map -- echo ::: 1
	[ "$output" = 1 ]
	ipp-run stop
	wait_until 5 none_left
}

@test "a controller that is stopped is waited for, and nothing is lost" {
	start 2
	ipp-run map -- sh -c 'sleep 0.01; echo $1' sh ::: $(seq 200) >out 2>said &
	wait_until 10 [ -s out ]
	controller=$(ours ipp-controller)
	kill -STOP "$controller"
	since=$SECONDS
	wait_until 10 eval '((SECONDS >= since + 3))'
	kill -CONT "$controller"
	wait %1
	[ "$(<out)" = "$(seq 200)" ]
	[ ! -s said ]
	ipp-run stop
}

@test "a task that kills its engine each time is given up, and the rest goes on" {
	# shellcheck disable=SC2016
	ipp map --engines 2 -k -- sh -c '
		[ $1 != 5 ] || kill -9 $(awk "{print \$4}" /proc/$PPID/stat)
		echo $1' sh ::: $(seq 12)
	show
	[ "$status" = 1 ]
	[ "$output" = "$(seq 12 | grep -v '^5$')" ]
	[[ $stderr == *"ipp-run: item 4: engine "?" on "*" was lost: its process ended"* ]]
}

@test "an engine killed in the midst of loo changes no prediction" {
	run -0 ipp-run loo --engines 2 --trees 2000 --full-trees --held-out 0:20 --json
	expected=$(predictions <<<"$output")
	start 2
	ipp-run loo --trees 2000 --full-trees --held-out 0:20 --json >found 2>notices &
	engine=$(pid_of_engine 1)
	wait_until 20 busy "$engine"
	kill -9 "$engine"
	wait %1
	[ "$(predictions <found)" = "$expected" ]
	grep "engine 1 on .* was lost" notices
	wait_until 5 replaced 1 "$engine"
	run -0 ipp-run loo --trees 2000 --full-trees --held-out 0:20 --json
	[ "$(predictions <<<"$output")" = "$expected" ]
	ipp-run stop
}

@test "a controller that is killed takes everything along, and each says so once" {
	ipp-run map --engines 2 -- sleep 1000 ::: 1 2 2>said &
	wait_until 10 n_run sleep 2
	kill -9 "$(ours ipp-controller)"
	status=0
	wait %1 || status=$?
	wait_until 5 none_left
	cat said
	[ "$status" = 125 ]
	[ "$(grep -c '^ipp-run map: lost the controller on ' said)" = 1 ]
	[ "$(grep -c '^ipp-engine: rank [01] lost the controller on .*: leaving$' said)" = 2 ]
	[ "$(wc -l <said)" = 3 ]
}

@test "a client that is killed takes everything along" {
	ipp-run map --engines 2 -- sleep 1000 ::: 1 2 2>said &
	wait_until 10 n_run sleep 2
	kill -9 $!
	wait_until 5 none_left
	cat said
	[ "$(wc -l <said)" = 0 ]
}

@test "a client that is killed leaves the others' cluster idle and well" {
	start 2
	ipp-run map -- sleep 1000 ::: 1 2 2>/dev/null &
	wait_until 10 n_run sleep 2
	kill -9 $!
	wait_until 5 n_run sleep 0
	ipp apply -- echo well
	[ "$output" = $'well\nwell' ]
	ipp-run stop
}

@test "Ctrl-C cancels what runs, with exit code 130" {
	start 2
	ipp-run map -- sleep 1000 ::: 1 2 3 2>said &
	wait_until 10 n_run sleep 2
	kill -INT $!
	status=0
	wait %1 || status=$?
	[ "$status" = 130 ]
	[ "$(cat said)" = "ipp-run map: interrupted" ]
	wait_until 5 n_run sleep 0
	ipp apply -- echo well
	[ "$output" = $'well\nwell' ]
	ipp-run stop
}

@test "a second Ctrl-C leaves at once, though nobody reads what is written" {
	mkfifo full
	exec 9<>full
	ipp-run map --engines 1 -- sh -c 'yes | head -c 1000000' ::: 1 >full 9>&- &
	client=$!
	hangs() { grep -q pipe_write /proc/$client/wchan; }
	wait_until 10 hangs
	kill -INT $client
	wait_until 10 hangs # again
	kill -INT $client
	status=0
	wait $client || status=$?
	exec 9>&-
	[ "$status" = 130 ]
	wait_until 5 none_left
}

# kilobytes of physical memory that a process has to itself
memory() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }

@test "a client that stops reading stops nobody else, and costs the controller a bounded amount of memory" {
	start 2
	# 400 MB of output, of which 64 may wait for the client
	ipp-run map -- sh -c 'echo x >>begun; yes | head -c 2000000' ::: $(seq 200) >/dev/null &
	client=$!
	wait_until 20 [ -s begun ]
	kill -STOP $client
	n=0
	wait_until 20 eval 'before=$n; n=$(wc -l <begun); IPP_TEST_MARK="" command sleep 0.5; ((n > 10 && n == before))'
	ipp apply -- echo well
	[ "$output" = $'well\nwell' ]
	ipp map -- echo ::: a b c
	[ "$output" = $'a\nb\nc' ]
	memory "$(ours ipp-controller)"
	(($(memory "$(ours ipp-controller)") < 150000))
	(($(wc -l <begun) < 200))
	kill -CONT $client
	wait $client
	[ "$(wc -l <begun)" = 200 ]
	ipp-run stop
}

@test "Ctrl-C on a terminal ends a client with its own engines" {
	# a shell that does not end itself when its command caught the SIGINT
	coproc { SHELL=/bin/bash script -qec "ipp-run map --engines 1 -- sleep 1000 ::: 1; echo code \$?" /dev/null; }
	wait_until 10 n_run sleep 1
	printf '\003' >&"${COPROC[1]}"
	grep -q "code 130" <&"${COPROC[0]}"
	wait_until 5 none_left
}

@test "a guard that is killed takes its engine along, which costs no result" {
	start 2
	ipp-run map -- sh -c 'until [ -e go ]; do sleep 0.1; done; echo $1' sh ::: $(seq 30) >out 2>said &
	wait_until 10 some_run sh
	kill -9 "$(ours ipp-guard | head -1)"
	touch go
	wait %1
	[ "$(cat out)" = "$(seq 30)" ]
	[ "$(ipp-run ids | wc -l)" = 1 ]
	ipp-run stop
	wait_until 5 none_left
}

@test "a cluster that lost all its engines for good ends, and its clients with it" {
	start 1
	ipp-run map -- sleep 1000 ::: 1 2>said &
	wait_until 10 n_run sleep 1
	# shellcheck disable=SC2046
	kill -9 $(ours 'ipp-guard')
	status=0
	wait $! || status=$?
	cat said
	[ "$status" = 125 ]
	grep "lost the controller on .*: it has lost all its engines" said
	wait_until 5 none_left
}

@test "engines that do not come are named at the deadline" {
	mkdir broken
	cp "$programs"/ipp-run "$programs"/ipp-controller broken
	printf '#!/bin/sh\nexit 125\n' >broken/ipp-guard
	chmod +x broken/ipp-guard
	run broken/ipp-run start -n 2 --timeout 1
	[ "$status" = 125 ]
	[[ $output == *"0 of 2 engines after "*" s; missing rank 0, rank 1; "* ]]
	wait_until 5 none_left
}

@test "engines that can run nothing are named at once, not at the deadline" {
	cp -r "$programs" broken
	chmod -x broken/ipp-worker
	ipp_at=$SECONDS
	PATH=$PWD/broken:$PATH ipp map --engines 2 -- echo ::: 1
	show
	[ "$status" = 125 ]
	[[ $stderr == *"engine "[01]" on "*" can run nothing: cannot run $PWD/broken/ipp-worker: Permission denied"* ]]
	((SECONDS - ipp_at < 30)) # of the 60 that engines are given
	wait_until 5 none_left
}

@test "an engine whose workers end as soon as they are started leaves, and says so" {
	mkdir broken
	cp "$programs"/ipp-* broken
	PATH=$PWD/broken:$PATH
	start 2
	rm broken/ipp-worker
	printf '#!/bin/sh\nexit 3\n' >broken/ipp-worker
	chmod +x broken/ipp-worker
	kill -9 "$(ours ipp-worker | tail -n 1)"
	one_is_left() { [ "$(ipp-run ids | wc -l)" = 1 ]; }
	wait_until 20 one_is_left
	grep -x "ipp-engine: rank [01]: its worker ends as soon as it is started: leaving" .slurm-ipp/local-*.log
	ipp map -- echo ::: a
	[ "$output" = a ]
	ipp-run stop
}

@test "a missing program is named" {
	mkdir broken
	cp "$programs"/ipp-run broken
	run broken/ipp-run loo
	[ "$status" = 125 ]
	[[ $output == *"cannot run $PWD/broken/ipp-controller"* ]]
}
