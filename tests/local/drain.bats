#!/usr/bin/env bats
# Maps that are told to begin nothing more: by a signal to ipp-run, or to all processes around it.

# shellcheck disable=SC2030,SC2031        # each test is a subshell of its own
load helper

# start_map COMMAND...: in the background, on two engines; ends when the test says so by `touch go`
start_map()
{
	ipp-run map --engines 2 "$@" >out 2>said &
	map=$!
	wait_until 10 n_run sh 2
}

# ends CODE: the map does, with it
ends()
{
	status=0
	wait "$map" || status=$?
	cat out said
	[ "$status" = "$1" ]
}

# left WHY OF: out has the first items, and ipp-run says so, and why, and that there are more
left()
{
	local n
	n=$(wc -l <out)
	((n >= 2 && n < 100))
	[ "$(cat out)" = "$(seq "$n")" ]
	[ "$(cat said)" = "ipp-run map: $1: $n$2 tasks have ended; with --journal FILE and --resume another job goes on from there" ]
}

# shellcheck disable=SC2016
waits='until [ -e go ]; do sleep 0.05; done; echo $1; sleep 0.1'

@test "USR1 and TERM let what runs end and begin nothing more, with exit code 120" {
	for signal in USR1 TERM; do
		rm -f go
		start_map -- sh -c "$waits" sh ::: $(seq 100)
		kill -$signal "$map"
		touch go
		ends 120
		left "it was told to begin nothing more" " of 100"
	done
}

is_in_write() { [[ "$(cat "/proc/$1/wchan")" == *pipe_write* ]]; }

@test "a reader that is slow loses nothing of a map that is told to begin nothing more" {
	for signal in USR1 TERM; do
		mkfifo slow.$signal
		exec 5<>slow.$signal
		rm -f go
		ipp-run map -u --engines 2 -- sh -c 'seq 1000; [ $1 -le 100 ] || { until [ -e go ]; do sleep 0.1; done; sleep 0.2; }' sh \
			::: $(seq 150) >slow.$signal 2>said 5>&- &
		map=$!
		wait_until 30 is_in_write "$map"
		exec 6<slow.$signal 5>&-
		kill -$signal "$map"
		cat <&6 >out 6<&- &
		exec 6<&-
		touch go
		ends 120 >/dev/null
		wait $!
		n=$(grep -c '^1000$' out)
		[ "$(grep -c . out)" = $((1000 * n)) ]
		grep "^ipp-run map: it was told to begin nothing more: $n of 150 tasks have ended; " said
	done
}

@test "what waits at the engines, as many as --hwm lets them have, is not begun either" {
	start_map --hwm 100 -- sh -c "$waits" sh ::: $(seq 100)
	kill -USR1 "$map"
	touch go
	ends 120
	[[ "$(cat said)" == "ipp-run map: it was told to begin nothing more: "?" of 100 tasks have ended;"* ]]
}

@test "a map whose last tasks run ends as if nothing had been" {
	start_map -- sh -c "$waits" sh ::: 1 2
	kill -USR1 "$map"
	touch go
	ends 0
	[ "$(cat out)" = $'1\n2' ]
}

@test "a second TERM ends what runs, as Ctrl-C does" {
	start_map -- sh -c "$waits" sh ::: 1 2
	kill -TERM "$map"
	wait_until 10 eval 'kill -TERM "$map"; ! kill -0 "$map" 2>/dev/null'
	ends 130
}

@test "items that were not read yet are left" {
	mkfifo items
	exec 9<>items
	seq 100 >&9
	ipp-run map --engines 2 -a items -- sh -c "$waits" sh >out 2>said 9>&- &
	map=$!
	wait_until 10 n_run sh 2
	kill -USR1 "$map"
	touch go
	ends 120
	exec 9>&-
	left "it was told to begin nothing more" ""
}

@test "a signal to all processes costs no command that it killed a try" {
	# shellcheck disable=SC2016
	start_map -- sh -c 'echo $1 >>begun; '"$waits" sh ::: 1 2 3 4
	n=2
	for signal in HUP INT QUIT ABRT ALRM USR2 XCPU RTMIN; do
		wait_until 10 n_begun $n
		echo $signal
		# shellcheck disable=SC2046
		kill -$signal $(ours 'sh|sleep|ipp-(controller|guard|engine|worker)')
		((n += 2))
	done
	wait_until 10 n_begun $n
	[ "$(sort begun | uniq -c | tr -s " " | paste -sd,)" = " $((n / 2)) 1, $((n / 2)) 2" ]
	touch go
	ends 0
	[ "$(cat out)" = $'1\n2\n3\n4' ]
}

n_begun() { [ "$(wc -l <begun)" = "$1" ] && n_run sh 2; }

@test "a signal to one command alone is that command's failure" {
	# shellcheck disable=SC2016
	ipp map --engines 1 -k -- sh -c 'kill -USR1 $$' ::: 1
	show
	[ "$status" = 1 ]
	[[ $stderr == *"killed by signal 10 (User defined signal 1)" ]]
}

@test "USR1 to all of a cluster ends its maps, now and later, and leaves the rest as it was" {
	start 2
	ipp-run map -- sh -c "trap '' USR1; $waits" sh ::: $(seq 100) >out 2>said &
	map=$!
	wait_until 10 n_run sh 2
	# shellcheck disable=SC2046
	kill -USR1 $(ours 'ipp-(controller|guard|engine|worker)')
	touch go
	ends 120
	left "the job was told to end by SIGUSR1" " of 100"
	ipp map -- echo ::: 1
	[ "$status" = 120 ]
	ipp apply -- echo well
	[ "$output" = $'well\nwell' ]
	ipp-run stop
}

@test "what only a guard is told while its engine is being started again is passed on" {
	for signal in USR1 TERM; do
		rm -f go
		start 2
		ipp-run map -- sh -c "$waits" sh ::: $(seq 100) >out 2>said &
		map=$!
		wait_until 10 n_run sh 2
		engine=$(ours ipp-engine | tail -n 1)
		guard=$(parent "$engine")
		kill -STOP "$guard"
		kill -KILL "$engine"
		kill -$signal "$guard"
		kill -CONT "$guard"
		touch go
		ends 120
		grep -q "the job was told to end by SIG$signal: " said
		ipp-run stop
		wait_until 10 none_left
	done
}

@test "what comes after a map that was drained, or asks for its results, ends with code 120 as well" {
	start 2
	id=$(ipp-run map --async -- sh -c "trap '' USR1; $waits" sh ::: $(seq 100))
	ipp-run apply --after "ended:$id" -- echo never >applied 2>&1 &
	applied=$!
	ipp-run map --follow "$id" -- echo ::: 1 2 >out 2>said &
	map=$!
	wait_until 10 n_run sh 2
	wait_until 10 eval '[ "$(ipp-run queue --json | wc -l)" = 3 ]'
	kill -USR1 "$(ours ipp-controller)"
	touch go
	ends 120
	[[ $(<said) == "ipp-run map: "*": 0 of 2 tasks have ended; with --journal FILE and --resume another job goes on from there" ]]
	status=0
	wait "$applied" || status=$?
	[ "$status" = 120 ]
	[ "$(<applied)" = "ipp-run apply: it was to run after request $id, which was drained: let the next job run both" ]
	for verb in wait result; do
		ipp "$verb" "$id"
		show
		[ "$status" = 120 ]
		[[ $stderr == *"ipp-run $verb: the job was told to end by SIGUSR1" ]]
	done
	ipp apply --after "$id" -- echo never
	[ "$status" = 120 ]
	[[ $(ipp-run history) == *drained* ]]
	ipp-run stop
}

@test "a controller that nobody owns lets what runs end after TERM, and ends at the second" {
	start 2
	ipp-run map -- sh -c "$waits" sh ::: $(seq 100) >out 2>said &
	map=$!
	wait_until 10 n_run sh 2
	kill -TERM "$(ours ipp-controller)"
	touch go
	ends 120
	left "the job was told to end by SIGTERM" " of 100"
	wait_until 10 none_left
	start 2
	ipp-run map -- sleep 1000 ::: 1 2 3 >out 2>said &
	map=$!
	wait_until 10 n_run sleep 2
	kill -TERM "$(ours ipp-controller)"
	wait_until 10 eval 'kill -TERM $(ours ipp-controller) 2>/dev/null; ! kill -0 "$map" 2>/dev/null'
	ends 125
	wait_until 10 none_left
}

@test "with a journal the same command goes on" {
	start_map --journal j -- sh -c "$waits" sh ::: $(seq 30)
	kill -USR1 "$map"
	touch go
	ends 120
	n=$(ipp-run journal j | tail -n +2 | wc -l)
	grep "it was told to begin nothing more: $n of 30 tasks are done and in j; the same command with --resume goes on from there" said
	ipp map --engines 2 --journal j --resume -- sh -c "$waits" sh ::: $(seq 30)
	show
	[ "$status" = 0 ]
	[ "$output" = "$(seq 30)" ]
}

# drained_study ARGS...: it says nothing but why it ended
drained_study()
{
	ipp-run "$@" >out 2>said &
	map=$!
	wait_until 20 busy_workers
	kill -USR1 "$map"
	ends 120
	[ ! -s out ]
}

@test "a study that is drained says how many of its tasks are done, and how to go on" {
	drained_study loo --engines 2 --trees 3000 --full-trees --held-out 0:500
	grep -E "^ipp-run loo: it was told to begin nothing more: [0-9]+ of 500 tasks have ended; with --journal FILE" said
	for study in 'loo --full-trees --held-out 0:500' 'cv --folds 500' 'forest fit'; do
		rm -f j
		trees=2400
		[[ $study != forest* ]] || trees=24000 # of all, not of each task
		# shellcheck disable=SC2086
		drained_study $study --engines 2 --trees $trees --journal j
		n=$(ipp-run journal j | tail -n +2 | wc -l)
		grep -E "^ipp-run ${study%% *}: it was told to begin nothing more: $n of (500|[1-9][0-9]*) tasks are done and in j; the same command with --resume goes on" said
	done
}

busy_workers()
{
	local pid
	for pid in $(ours ipp-worker); do
		[[ $(ps -o stat= -p "$pid") == R* ]] || return 1
	done
	some_run ipp-worker
}

@test "the other signals that Slurm sends end nothing of ours" {
	start 2
	ipp-run map -- sh -c "trap '' HUP QUIT USR2; $waits" sh ::: 1 2 3 4 >out 2>said &
	map=$!
	wait_until 10 n_run sh 2
	before=$(ours 'ipp-(controller|guard|engine|worker)')
	for signal in HUP QUIT USR2 URG CONT TSTP TTIN TTOU ABRT ALRM PIPE PROF IO PWR RTMIN; do
		# shellcheck disable=SC2086
		kill -$signal $before
	done
	# A cluster that nobody owns ends at INT.
	# shellcheck disable=SC2046
	kill -INT $(ours 'ipp-(guard|engine|worker)')
	touch go
	ends 0
	[ "$(cat out)" = $'1\n2\n3\n4' ]
	[ "$(ours 'ipp-(controller|guard|engine|worker)')" = "$before" ]
	ipp-run stop
}
