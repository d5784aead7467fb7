#!/usr/bin/env bats
# Requests that are left behind and seen by others: --async, wait, result, cancel, status, queue,
# history and top.

# shellcheck disable=SC2030,SC2031,SC2016  # each test is a subshell of its own; $ is for the tasks
# shellcheck disable=SC2317                # wait_until calls functions
load helper
helper_teardown=$(declare -f teardown)

# submit ARGS...: ipp-run ARGS, which prints an id and nothing else; sets $id
submit()
{
	ipp "$@"
	show
	[ "$status" = 0 ]
	[[ $output =~ ^[1-9][0-9]*\.[1-9][0-9]*$ ]]
	[ "$stderr" = "" ]
	id=$output
}

# state ID: as queue and history have it
state() { { ipp-run queue --json; ipp-run history --json; } | jq -r --arg id "$1" 'select(.id == $id).state'; }
is() { [ "$(state "$1")" = "$2" ]; }

# ---- --async ----

@test "a map is left behind, and another client prints what it gave, in order and again" {
	start 2
	mkfifo gate
	submit map --async -- sh -c 'if [ $1 = 1 ]; then cat gate; fi; echo got $1; echo err $1 >&2' sh ::: 1 2 3
	[ -z "$(ours ipp-run)" ]
	wait_until 5 is "$id" running
	echo >gate
	ipp result "$id"
	show
	[ "$status" = 0 ]
	[ "$output" = $'\ngot 1\ngot 2\ngot 3' ]
	[ "$stderr" = $'err 1\nerr 2\nerr 3' ]
	is "$id" "done"
	ipp result "$id"
	[ "$output" = $'\ngot 1\ngot 2\ngot 3' ]
	ipp-run stop
}

@test "more items than a map has on its way at once are taken from a client that leaves" {
	start 2
	run -0 ipp-run map --async "$programs/tests/modules/sample.so:place" < <(seq 200000)
	id=$output
	ipp-run result "$id" >got
	seq 0 199999 | cmp - got
	ipp-run stop
}

@test "apply is left behind too" {
	start 3
	submit apply --async --targets 0,2 -- sh -c 'echo here; exit 3'
	ipp result "$id"
	show
	[ "$status" = 2 ]
	[ "$output" = $'here\nhere' ]
	ipp-run stop
}

@test "the first failure ends a map that was left behind, unless --keep-going" {
	start 1
	submit map --async -- sh -c 'echo $1; exit $1' sh ::: 0 3 0 4
	ipp result --forget "$id"
	show
	[ "$status" = 1 ]
	[ "$output" = $'0\n3' ]
	[[ $stderr == "ipp-run: "*"sh exited with code 3" ]]
	[ -z "$(state "$id")" ]
	submit map --async --keep-going -- sh -c 'echo $1; exit $1' sh ::: 0 3 0 4
	ipp result "$id"
	[ "$status" = 2 ]
	[ "$output" = $'0\n3\n0\n4' ]
	ipp-run stop
}

@test "result --no-wait prints what there is, and its exit code says that there is more" {
	start 1
	mkfifo gate
	submit map --async -- sh -c 'if [ $1 = 2 ]; then cat gate; fi; echo $1' sh ::: 1 2 3
	some_done() { ipp-run queue --json | jq -e '.done == 1' >/dev/null; }
	wait_until 5 some_done
	ipp result --no-wait "$id"
	show
	[ "$status" = 121 ]
	[ "$output" = 1 ]
	[ "$stderr" = "ipp-run: request $id is not at its end: 1 of its tasks are done" ]
	echo >gate
	ipp result --unordered --forget "$id"
	[ "$output" = $'1\n\n2\n3' ]
	ipp result "$id"
	[ "$status" = 125 ]
	[ "$stderr" = "ipp-run result: there is no request $id" ]
	ipp-run stop
}

@test "results of many megabytes are kept, in a file without a name" {
	start 2
	mkdir there
	ipp-run stop
	TMPDIR=$PWD/there start 2
	submit map --async --keep-going -- sh -c 'head -c 10000000 /dev/zero | tr "\0" $1' sh ::: 0 1 2 3 4 5 6 7 8 9
	ipp wait "$id"
	[ "$status" = 0 ]
	find "/proc/$(ours ipp-controller)/fd" -lname "$PWD/there/*(deleted)" | grep -q .
	[ -z "$(ls there)" ]
	ipp-run result "$id" | fold -w 10000000 | cut -c 1,10000000 >got
	[ "$(cat got)" = "$(printf '%s\n' 00 11 22 33 44 55 66 77 88 99)" ]
	ipp-run stop
}

@test "results that wait at a client for those before them lie in a file too" {
	start 2
	mkdir there
	mkfifo gate
	submit map --async --hwm 1 -- sh -c '[ $1 != x ] || cat gate; head -c 10000000 /dev/zero | tr "\0" $1' sh ::: x 1 2 3 4 5 6 7 8 9
	TMPDIR=$PWD/there ipp-run result "$id" >results &
	in_file() { find "/proc/$!/fd" -lname "$PWD/there/*(deleted)" | grep -q .; }
	wait_until 20 in_file
	[ ! -s results ]
	: >gate
	wait $!
	fold -w 10000000 results | cut -c 1,10000000 >got
	[ "$(cat got)" = "$(printf '%s\n' xx 11 22 33 44 55 66 77 88 99)" ]
	ipp-run stop
}

@test "where results cannot be kept the request fails with the reason" {
	TMPDIR=/nonexistent start 1
	submit map --async -- sh -c 'head -c 40000000 /dev/zero' sh ::: 1 2 3
	ipp wait "$id"
	show
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run wait: "*"cannot keep results in /nonexistent: No such file or directory; set TMPDIR"* ]]
	is "$id" failed
	ipp-run stop
}

@test "wait returns once requests have ended, with the number of tasks that failed" {
	start 2
	mkfifo gate
	submit map --async --keep-going -- sh -c 'exit $1' sh ::: 0 1 1
	first=$id
	submit apply --async --targets 0 -- cat gate
	ipp wait --timeout 0.2 "$id"
	show
	[ "$status" = 124 ]
	[[ $stderr == "ipp-run wait: not all requests have ended after 0.2 s"* ]]
	echo >gate
	ipp wait "$id" "$first"
	[ "$status" = 2 ]
	[ "$output$stderr" = "" ]
	ipp-run stop
}

@test "a blocking map can be waited for by others" {
	start 1
	mkfifo gate
	ipp-run map -- sh -c 'cat gate' ::: 1 3>&- &
	running() { ipp-run queue --json | jq -e '.state == "running"' >/dev/null; }
	wait_until 5 running
	id=$(ipp-run queue --json | jq -r .id)
	ipp-run wait "$id" 3>&- &
	echo >gate
	wait %2
	ipp result "$id"
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run result: the results of request $id were not kept: "* ]]
	wait %1
	ipp-run stop
}

# ---- cancel ----

@test "cancel ends what waits and what runs, and its client says by whom" {
	start 1
	ipp-run map -- sleep ::: 1000 1001 2>client.log 3>&- &
	wait_until 5 some_run sleep
	submit map --async -- echo ::: never
	ipp cancel "$id"
	[ "$status" = 0 ]
	is "$id" cancelled
	id=$(ipp-run queue --json | jq -r .id)
	ipp cancel "$id"
	[ "$status" = 0 ]
	wait %1 || code=$?
	[ "$code" = 125 ]
	cat client.log
	grep "ipp-run map: .*cancelled by client" client.log
	wait_until 5 n_run sleep 0
	ipp apply -- echo alive
	[ "$output" = alive ]
	ipp-run stop
}

@test "a task that waits is cancelled without harm to another client's that runs" {
	start 1
	mkfifo gate
	ipp-run map -- sh -c 'echo started >>starts; cat gate' ::: 1 3>&- >map.out &
	wait_until 5 test -s starts
	submit apply --async -- sh -c 'echo ran >>cancelled'
	cancelled=$id
	submit apply --async -- echo behind it
	ipp cancel "$cancelled"
	[ "$status" = 0 ]
	echo through >gate
	wait %1
	[ "$(cat map.out)" = through ]
	[ "$(wc -l <starts)" = 1 ]
	ipp result "$id"
	[ "$output" = "behind it" ]
	[ ! -e cancelled ]
	ipp-run stop
}

@test "what ended just before a cancel is not run again" {
	start 1
	mkfifo gate
	ipp-run map -- sh -c 'echo started >>starts; cat gate' ::: 1 3>&- >map.out &
	wait_until 30 test -s starts
	submit apply --async -- sh -c 'echo ran >>cancelled; exec sleep 1000'
	submitted=$id
	submit apply --async -- echo behind it
	engine=$(ours ipp-engine)
	kill -STOP "$engine"
	ipp-run cancel "$submitted" 3>&- &
	wait_until 30 is "$submitted" cancelled
	echo through >gate
	wait_until 30 test -s cancelled # the engine has yet to hear of either
	kill -CONT "$engine"
	wait %2
	wait_until 5 n_run sleep 0
	wait %1
	[ "$(cat map.out)" = through ]
	[ "$(wc -l <starts)" = 1 ]
	ipp result "$id"
	[ "$output" = "behind it" ]
	[ "$(wc -l <cancelled)" = 1 ]
	ipp-run stop
}

@test "cancel all ends everything" {
	start 2
	submit map --async -- sleep ::: 1000 1001 1002
	one=$id
	submit apply --async -- sleep 1000
	wait_until 5 n_run sleep 2
	ipp cancel all
	[ "$status" = 0 ]
	wait_until 5 n_run sleep 0
	is "$id" cancelled
	is "$one" cancelled
	ipp cancel all
	[ "$status" = 0 ]
	ipp wait "$id"
	[ "$status" = 125 ]
	[[ $stderr == *"cancelled by client"* ]]
	ipp-run stop
}

# ---- dependencies ----

@test "a map comes after another, or follows it to its engines, also to one that was left behind" {
	start 3
	mkfifo gate
	submit apply --async --targets 2 -- sh -c 'cat gate; echo first >>order'
	first=$id
	submit map --async --after "$first" -- sh -c 'echo second >>order' ::: 1
	is "$id" waiting
	ipp-run map --follow "$first" --after "$id" --keep-going -- sh -c 'echo $IPP_RANK' ::: 1 2 3 4 >ranks 3>&- &
	echo >gate
	wait %1
	[ "$(head -n 2 order)" = $'first\nsecond' ]
	[ "$(sort -u ranks)" = 2 ]
	ipp map --after "$id" -- echo ::: late
	[ "$output" = late ]
	ipp-run stop
}

@test "any of several, a failure or any end can be waited for, by maps and direct views" {
	start 2
	mkfifo gate
	submit apply --async --targets 0 -- sh -c 'cat gate; exit 1'
	first=$id
	submit apply --async --targets 1 -- true
	ipp map --after "any:$first,$id" -- echo ::: early
	[ "$output" = early ]
	ipp map --follow "any:$first" --follow "any:$id" -- sh -c 'echo $IPP_RANK' ::: 1
	[ "$output" = 1 ]
	ipp map --after "$first" --after-timeout 0.1 -- echo ::: never
	show
	[ "$status" = 125 ]
	[[ $stderr == *"after request $first, which has not ended in the time that --after-timeout gave it: give it longer, or see ipp-run queue" ]]
	ipp-run execute --targets 1 --after "failed:$first" -- 'echo failed >>order' 3>&- &
	ipp-run map --after "ended:$first,$id" -- sh -c 'echo ended >>order' ::: 1 3>&- &
	echo >gate
	wait %1 %2
	[ "$(sort order)" = $'ended\nfailed' ]
	ipp apply --after "failed:$id" -- echo never
	show
	[ "$status" = 125 ]
	[[ $stderr == *"it was to run after request $id had failed, which ended well" ]]
	ipp-run stop
}

@test "what depends on a failed, cancelled or unknown request never runs, in one sentence" {
	start 1
	submit map --async -- false ::: 1
	ipp wait "$id"
	[ "$status" = 1 ]
	ipp map --after "$id" -- echo ::: never
	show
	[ "$status" = 125 ]
	[ "$output" = "" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[ "$stderr" = "ipp-run map: it was to run after request $id, which failed" ]
	ipp map --async --follow "$id" -- echo ::: never
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run map: it was to run after request $id, which failed" ]]
	ipp map --after 99.1 -- echo ::: never
	[ "$status" = 125 ]
	[[ $stderr == *"after request 99.1, which is unknown; ipp-run queue and ipp-run history list requests" ]]
	submit map --async -- sleep 1000 ::: 1
	submit map --async --after "$id" -- echo ::: never
	later=$id
	ipp cancel all
	ipp wait "$later"
	[ "$status" = 125 ]
	[[ $stderr == *cancelled* ]]
	ipp-run stop
}

# ---- what is seen ----

@test "status says what each engine is doing" {
	start 3
	mkfifo gate
	ipp-run apply --targets 0 -- true
	submit apply --async --targets 1 -- cat gate
	kill -STOP "$(ipp-run ids | sed -n 's/^2 .*pid=\([0-9]*\) .*/\1/p')"
	ipp status
	kill -CONT "$(ipp-run ids | sed -n 's/^2 .*pid=\([0-9]*\) .*/\1/p')"
	show
	[ "$status" = 0 ]
	[[ ${lines[0]} =~ ENGINE\ +HOST\ +RANK\ +STATE\ +DONE\ +FAILED\ +QUEUE\ +BUSY\ +MEMORY\ +LOSSES ]]
	[[ ${lines[1]} =~ ^\ +0\ +$(uname -n)\ +0\ +idle\ +1\ +0\ +0\ .*MB ]]
	[[ ${lines[2]} =~ ^\ +1\ +$(uname -n)\ +1\ +busy\ +0\ +0\ +1\  ]]
	[[ ${lines[3]} =~ ^\ +2\ +$(uname -n)\ +2\ +silent\  ]]
	ipp status --json
	jq -e '.engines[0].memory_bytes > 1000000 and .engines[1].busy_seconds > 0 and
		.engines[1].state == "busy" and .engines[2].state == "idle" and .clients == 1' <<<"$output"
	echo >gate
	ipp-run stop
}

@test "the memory of an engine counts guard, engine and worker" {
	start 1
	said=$(ipp-run status --json | jq '.engines[0].memory_bytes')
	counted=0
	for pid in $(ours 'ipp-(guard|engine|worker)'); do
		counted=$((counted + $(awk '{ print $2 }' "/proc/$pid/statm") * $(getconf PAGESIZE)))
	done
	echo "$said of $counted"
	((said > counted * 9 / 10 && said < counted * 11 / 10))
	ipp-run stop
}

@test "queue and history say what waits, runs and has ended, of all clients" {
	start 1
	mkfifo gate
	submit map --async -- cat gate ::: # nothing to do
	[ "$(state "$id")" = "done" ]
	submit apply --async -- sh -c 'cat gate # one'
	one=$id
	submit map --async -- echo hello ::: 1 2 3
	wait_until 5 is "$one" running
	ipp queue
	show
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[1]} =~ ^$one\ +running\ +direct\ +1\ +0\ +0\ .*\ \ sh\ -c\ cat\ gate\ \#\ one$ ]]
	[[ ${lines[2]} =~ ^$id\ +waiting\ +balanced\ +3\ +0\ +0\ .*\ \ echo\ hello$ ]]
	echo >gate
	ipp wait "$id"
	ipp queue
	[ "${#lines[@]}" = 1 ]
	ipp history
	show
	[ "${#lines[@]}" = 4 ]
	[[ ${lines[3]} =~ ^$id\ +done\ +balanced\ +3\ +0\ .*\ yes\ +echo\ hello$ ]]
	ipp history --json
	[ "$(jq -s 'map(select(.kept and .ended >= .submitted)) | length' <<<"$output")" = 3 ]
	jq -se '.[2] | .ended >= .started and .started >= .submitted' <<<"$output"
	ipp-run stop
}

@test "what a client called its request cannot play with the terminal" {
	start 1
	submit apply --async -- printf $'\033[31m\n'
	ipp wait "$id"
	ipp history
	show
	[ "${#lines[@]}" = 2 ]
	[[ $output == *'printf ?[31m?' ]]
	mkfifo gate
	submit apply --async -- sh -c $'cat gate #\033[31m'
	ipp queue
	[[ $output == *'cat gate #?[31m' ]]
	: >gate
	ipp-run stop
}

# ---- top ----

terminal() { tmux -L "ipp$$" -f /dev/null "$@" 3>&-; }
teardown()
{
	terminal kill-server 2>/dev/null || true
	eval "${helper_teardown#*teardown ()}"
}
screen_has() { terminal capture-pane -p | grep -q -- "$1"; }

@test "top shows engines and requests, follows the window, and gives the terminal back" {
	start 2
	submit map --async -- sh -c 'until [ -e gate ]; do sleep 0.05; done' ::: 1 2 3
	terminal new-session -d -x 120 -y 20 sh
	terminal send-keys "stty -a >before; ipp-run top --interval 0.2; echo code \$?; stty -a >after" Enter
	wait_until 10 screen_has '^ipp-run top .* 2 engines: 2 busy .* 1 tasks wait'
	screen_has '^     1  .* busy '
	screen_has "^$id  *running  *balanced .* sh -c until"
	terminal resize-window -x 60 -y 8
	cut_short() { screen_has '^q quits' && ! screen_has MEMORY && [ "$(terminal capture-pane -p | wc -l)" = 8 ]; }
	wait_until 10 cut_short
	terminal resize-window -x 120 -y 20
	wait_until 10 screen_has MEMORY
	touch gate
	wait_until 10 screen_has '2 engines: 2 idle .* 0 tasks wait'
	wait_until 10 screen_has "^$id  *done "
	terminal send-keys q
	wait_until 10 screen_has 'code 0'
	wait_until 10 test -s after
	cmp before after
	run ! screen_has 'ENGINE' # the screen is as it was
	terminal kill-server
	ipp-run stop
}

@test "a signal ends top, and the terminal is as it was" {
	start 1
	terminal new-session -d -x 100 -y 20 sh
	for signal in TERM INT; do
		rm -f after
		terminal send-keys "stty -a >before; ipp-run top" Enter
		wait_until 10 screen_has '^ipp-run top '
		kill -"$signal" "$(ours ipp-run)"
		wait_until 5 n_run ipp-run 0
		terminal send-keys "echo code \$?; stty -a >after" Enter
		wait_until 10 test -s after
		cmp before after
		wait_until 5 screen_has "code $((128 + $(kill -l $signal)))"
	done
	terminal send-keys "ipp-run top" Enter
	wait_until 10 screen_has '^ipp-run top '
	ipp-run stop
	wait_until 10 screen_has "ipp-run top: lost the controller"
	terminal kill-server
}

@test "top follows the window at once, however seldom it looks at the cluster" {
	start 1
	terminal new-session -d -x 120 -y 20 sh
	terminal send-keys "ipp-run top --interval 3600" Enter
	wait_until 10 screen_has MEMORY
	terminal resize-window -x 60 -y 8
	cut_short() { screen_has '^q quits' && ! screen_has MEMORY; }
	wait_until 10 cut_short
	terminal kill-server
	wait_until 5 n_run ipp-run 0
	ipp-run stop
}

@test "top ends when its terminal is gone, though no signal says so" {
	start 1
	# shellcheck disable=SC2016
	run timeout 60 python3 -c 'import os, subprocess, sys
master, slave = os.openpty()
top = subprocess.Popen(["ipp-run", "top"], stdin=slave, stdout=slave, start_new_session=True,
                       env=dict(os.environ, TERM="xterm"))
os.close(slave)
while b"ENGINE" not in os.read(master, 65536):
    pass
os.close(master)
print("ended", top.wait(timeout=20))'
	show
	[[ $output == *ended* ]]
	ipp-run stop
}

# ---- wrong use ----

@test "what is no request, or not there, is refused in one sentence" {
	for verb in wait result cancel; do
		refused "'x' is no request: give an id such as 3.1" "$verb" x
		refused "is no request" "$verb" 3
		refused "is no request" "$verb" 3.
		refused "is no request" "$verb" 0.1
		refused "is no request" "$verb" 3.1x
		refused "is no request" "$verb" 99999999999.1
		refused "there is no cluster here" "$verb" 3.1
	done
	refused "which request? give one id" result
	refused "which request? give one id" result 3.1 3.2
	refused "which requests? give ids, or all" cancel
	refused "'--bogus'" result --bogus 3.1
	refused "'--bogus'" cancel --bogus
	refused "'--bogus'" status --bogus
	refused "'x'" queue x
	refused "'x'" history x
	refused "'x'" top x
	refused "not for both" wait -n 3 3.1
	refused "it needs a terminal" top
	refused "--interval 0: give seconds from 0.1 to 3600" top --interval 0
	refused "--interval x: give seconds" top --interval x
}

@test "a condition that cannot be read is refused in one sentence" {
	for verb in map apply execute run; do
		refused "'' is no request" "$verb" --after "" -- true
		refused "'' is no request" "$verb" --after 3.1, -- true
		refused "'sometimes:3.1' is no request" "$verb" --after sometimes:3.1 -- true
		refused "'any' is no request" "$verb" --after any -- true
		refused "--after failed:3.2: with another condition" "$verb" --after 3.1 --after failed:3.2 -- true
		refused "--after-timeout x" "$verb" --after-timeout x -- true
	done
	refused "'--follow'" apply --follow 3.1 -- true
	refused "--after names more than 64 requests" map --after "$(seq -s, 1.1 1 65.1)" -- true
}

@test "what has ended or is unknown to the cluster is refused in one sentence" {
	start 1
	submit map --async -- echo ::: 1
	ipp wait "$id"
	for verb in wait result cancel; do
		ipp "$verb" 77.1
		show
		[ "$status" = 125 ]
		[ "$stderr" = "ipp-run $verb: there is no request 77.1" ]
	done
	ipp cancel "$id" 77.1
	[ "$status" = 125 ]
	[ "$stderr" = "ipp-run cancel: request $id has ended already: done"$'\n'"ipp-run cancel: there is no request 77.1" ]
	ipp-run stop
}

@test "nothing can be left behind on engines that end with the client" {
	refused "--async leaves it to a cluster that stays" map --async -- echo ::: 1
	refused "--async leaves it to a cluster that stays" apply --async -- echo
	refused "there is nothing to run" map --async
	refused "--async leaves before there are results" map --async --json -- echo ::: 1
	refused "--async leaves it to a cluster that stays" map --async --engines 2 -- echo ::: 1
}

@test "the history calls variables' requests what was typed" {
	start 1
	ipp-run push n=5
	ipp-run pull n
	ipp-run ls
	ipp-run rm n
	labels=$(ipp-run history --json | jq -r .label | grep -E '^(push|pull|rm|ls)' | uniq)
	[ "$labels" = $'push n\npull n\nls\nrm n' ]
	ipp-run stop
}

@test "the history has the first 79 bytes of what was typed" {
	start 1
	submit apply --async -- echo {1..50}
	submit apply --async -- echo "$(printf 'x%.0s' {1..100})" more words
	run -0 --separate-stderr ipp-run history --json
	[ "$(jq -r .label <<<"${lines[0]}")" = "$(echo echo {1..50} | head -c 79)" ]
	[ "$(jq -r .label <<<"${lines[1]}")" = "echo $(printf 'x%.0s' {1..74})" ]
	ipp-run stop
}

@test "what was typed need not be UTF-8, nor end with one of its characters, to be JSON" {
	start 1
	submit apply --async -- printf $'\377'
	submit map --async -- echo "x$(printf 'ä%.0s' {1..60})" ::: 1
	ipp wait "$id"
	ipp history --json
	show
	[ "$status" = 0 ]
	[ "$(jq -r .label <<<"${lines[0]}")" = 'printf �' ]
	[ "$(jq -r .label <<<"${lines[1]}" | tr -d ä)" = 'echo x�' ]
	run -127 ipp-run map --json -k -- $'\377\303' ::: 1
	[ "$(jq -r .error <<<"$output")" = "cannot run ��: No such file or directory" ]
	ipp-run stop
}
