#!/usr/bin/env bats
# What ipp-run map may be told: items, retries, time-outs, logs.

load helper

sample=$programs/tests/modules/sample.so

# ---- items ----

@test "several ::: give each combination, named by number" {
	ipp map --engines 2 -- echo '{2}-{1}' '{}' ::: a 'b c' ::: 1 2
	show
	[ "$output" = $'1-a a 1\n2-a a 2\n1-b c b c 1\n2-b c b c 2' ]
}

@test "a lone range is integers, and among other words it is a word" {
	ipp map --engines 2 -- echo ::: 0:500:100
	[ "$output" = $'0\n100\n200\n300\n400' ]
	ipp map --engines 2 -- echo ::: 10:30 11:30
	[ "$output" = $'10:30\n11:30' ]
}

@test "a function takes a range behind it, as integers" {
	ipp map --engines 2 "$sample:square" 0:5
	[ "$output" = $'0\n1\n4\n9\n16' ]
	ipp map --engines 2 "$sample:square" ::: 3:0:-1
	[ "$output" = $'9\n4\n1' ]
}

@test "items come from files, alone and combined" {
	printf 'one\ntwo two\n' >lines
	ipp map --engines 2 -a lines -- echo
	[ "$output" = $'one\ntwo two' ]
	ipp map --engines 2 -a lines -- echo ::: x y
	[ "$output" = $'one x\none y\ntwo two x\ntwo two y' ]
	run -0 ipp-run map --engines 1 -a - -- echo <lines
	[ "$output" = $'one\ntwo two' ]
}

@test "with -0 items may have newlines" {
	run -0 ipp-run map --engines 1 -0 -- printf '<%s>' < <(printf 'a\nb\0c\0')
	[ "$output" = $'<a\nb><c>' ]
}

@test "the templates are GNU parallel's" {
	ipp map --engines 1 -- echo '{.} {/} {//} {/.} {#} {%}' ::: d/e.tar.gz f
	[ "$output" = $'d/e.tar e.tar.gz d e.tar 1 1\nf f . f 2 1' ]
}

@test "a task is told which it is and where" {
	# shellcheck disable=SC2016
	ipp map --engines 1 -- sh -c 'echo $IPP_ENGINE $IPP_RANK $IPP_INDEX $PARALLEL_SEQ' ::: a b
	[ "$output" = $'0 0 0 1\n0 0 1 2' ]
}

@test "what comes slowly is worked on at once" {
	mkfifo items
	ipp-run map --engines 1 -a items -- sh -c 'echo "$1" >>seen; echo "$1"' sh >got &
	exec 9>items
	echo first >&9
	wait_until 20 grep -qx first got
	echo second >&9
	wait_until 20 grep -qx second got
	exec 9>&-
	wait $!
}

# ---- dry run ----

@test "a dry run prints what a shell would take, and needs no cluster" {
	IPP_CONNECT=unix:@none ipp map --dry-run -- printf '%s|' '{#}' {} ::: 'a  b' '$x' "it's" '' $'new\nline' -x
	show
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 6 ]
	[ "$(bash -c "$output")" = $'1|a  b|2|$x|3|it\'s|4||5|new\nline|6|-x|' ]
	ipp map --dry-run none.so:f ::: a
	[ "$output" = "none.so:f a" ]
	wait_until 5 none_left
}

# ---- failures ----

@test "a task is run again as often as it may be" {
	# shellcheck disable=SC2016
	ipp map --engines 1 --retries 2 -- sh -c 'echo x >>tries.$1; [ $(wc -l <tries.$1) = 3 ]' sh ::: a b
	show
	[ "$status" = 0 ]
	[ "$stderr" = "" ]
	[ "$(cat tries.a)" = $'x\nx\nx' ]
	rm tries.*
	# shellcheck disable=SC2016
	ipp map --engines 1 --retries 1 -k -- sh -c 'echo x >>tries.$1; [ $(wc -l <tries.$1) = 3 ]' sh ::: a b
	[ "$status" = 2 ]
	[ "${#stderr_lines[@]}" = 2 ]
}

@test "a function that crashed is run again by another worker" {
	ipp map --engines 1 --retries 1 --json -k "$sample:crash" ::: 3 4
	show
	[ "$(jq -c '[.index, .tries, .outcome]' <<<"${lines[0]}")" = '[0,2,"killed"]' ] ||
		[ "$(jq -c '[.index, .tries, .outcome]' <<<"${lines[0]}")" = '[0,2,"exited"]' ] # by ASan
	[ "$(jq -c '[.index, .tries, .outcome]' <<<"${lines[1]}")" = '[1,1,"ok"]' ]
}

@test "a command that runs too long is killed, and what it wrote is kept" {
	# shellcheck disable=SC2016
	ipp map --engines 1 --task-timeout 0.3 -k -- sh -c 'echo $1; sleep $1' sh ::: 1000 0
	show
	[ "$status" = 1 ]
	[ "$output" = $'1000\n0' ]
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: sh ran longer than the 0.3 s of --task-timeout and was killed" ]
	wait_until 5 none_left
}

@test "a function that runs too long is killed with its worker, and only it" {
	ipp map --engines 1 --task-timeout 0.3 -k "$sample:hang" ::: a hang b
	show
	[ "$status" = 1 ]
	[ "$output" = $'0\n2' ]
	[ "$stderr" = "ipp-run: item 1 on engine 0 of $host: it ran longer than the 0.3 s of --task-timeout and was killed with its worker" ]
}

@test "a command that its worker cannot end is ended with it" {
	# It stops its worker, who then sees no time pass.
	# shellcheck disable=SC2016
	ipp map --engines 1 --task-timeout 0.2 -k -- sh -c 'kill -STOP $PPID; sleep 1000' ::: 1
	show
	[ "$status" = 1 ]
	[[ $stderr == "ipp-run: item 0 on engine "?" of $host: it ran longer than the 0.2 s of --task-timeout and was killed with its worker"* ]]
}

@test "apply has a time-out as well" {
	ipp apply --engines 2 --task-timeout 0.2 -- sleep 1000
	show
	[ "$status" = 2 ]
	[[ $stderr == *"engine 1 of $host: sleep ran longer than the 0.2 s of --task-timeout and was killed"* ]]
}

@test "a map whose time is over ends with 124, and nothing runs on" {
	ipp map --engines 2 --timeout 0.5 -- sleep ::: 0 1000 1000 1000
	show
	[ "$status" = 124 ]
	[ "$stderr" = "ipp-run map: the 0.5 s of --timeout are over: 1 tasks have ended, the others are cancelled" ]
	wait_until 5 none_left
}

# ---- where, in what order ----

@test "a map runs on its targets alone" {
	start 3
	# shellcheck disable=SC2016
	ipp map --targets 0,2 -- sh -c 'sleep 0.02; echo $IPP_RANK' sh ::: 0:20
	ipp-run stop
	[ "$(printf '%s\n' "${lines[@]}" | sort -u)" = $'0\n2' ]
}

@test "results wait for no command that runs behind them" {
	ipp-run map --engines 1 --chunk 2 -- sh -c 'echo {}; [ {} = 1 ] || sleep 1000' ::: 1 2 >out &
	client=$!
	wait_until 20 [ -s out ]
	kill -INT $client
	wait $client || true
	[ "$(<out)" = 1 ]
}

@test "unordered results come as they are done" {
	mkfifo gate
	# shellcheck disable=SC2016
	ipp map --engines 2 --unordered -- sh -c 'if [ $1 = a ]; then cat gate; else echo >gate; fi; echo $1' sh ::: a b
	[ "$status" = 0 ]
	[ "$(printf '%s\n' "${lines[@]}" | sort | tr -d '\n')" = "ab" ]
	ipp map --engines 2 --unordered -- sh -c 'sleep $1; echo $1' sh ::: 1 0
	[ "$output" = $'0\n1' ]
}

@test "what waits behind a task that takes long is run by an engine that is idle" {
	mkdir ended
	# shellcheck disable=SC2016
	ipp map --engines 2 --unordered --timeout 30 -- sh -c 'if [ $1 = 60 ]; then until [ $(ls ended | wc -l) = 119 ]; do sleep 0.05; done; fi
		>ended/$1; echo $1' sh ::: 0:120
	show
	[ "$status" = 0 ]
	[ "$(printf '%s\n' "${lines[@]}" | sort -n)" = "$(seq 0 119)" ]
	[ "${lines[-1]}" = 60 ]
}

@test "a high-water mark lets an engine have so many tasks" {
	ipp map --engines 1 --hwm 3 --chunk 2 -- echo ::: 0:100
	[ "$status" = 0 ]
	[ "$output" = "$(seq 0 99)" ]
}

@test "a map begins after another has ended well, and where that ran" {
	start 3
	ipp map --targets 1 -- true ::: 1
	id=$(ipp-run history | awk 'END { print $1 }')
	# shellcheck disable=SC2016
	ipp map --follow "$id" -- sh -c 'echo $IPP_RANK' ::: 1 2 3 4
	show
	[ "$output" = $'1\n1\n1\n1' ]
	ipp map --follow "$id" --targets 0,2 -- echo ::: never
	show
	[ "$status" = 125 ]
	[ "$output" = "" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "ipp-run map: it was to run where what it follows ran, and may run on none of those engines" ]]
	ipp map --after "$id" -- echo ::: 1
	[ "$output" = 1 ]
	ipp map --after 77.1 -- echo ::: 1
	show
	[ "$status" = 125 ]
	[[ $stderr == *"after request 77.1, which is unknown"* ]]
	ipp-run stop
}

# ---- logs ----

@test "the job log has GNU parallel's columns" {
	# shellcheck disable=SC2016
	ipp map --engines 1 -k --joblog log -- sh -c 'printf 12345; printf 1 >&2; [ "$1" != b ] || exit 3; [ "$1" != c ] || kill -9 $$' sh ::: 'a
x' b c
	[ "$status" = 2 ]
	[ "$(head -1 log)" = $'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand' ]
	[ "$(cut -f 1,5-8 log | tail -n +2)" = $'1\t0\t6\t0\t0\n2\t0\t6\t3\t0\n3\t0\t6\t0\t9' ]
	[ "$(cut -f 2 log | tail -1)" = "$(hostname)" ]
	[[ $(cut -f 3,4 log | tail -1) =~ ^[0-9]{10}\.[0-9]{3}$'\t'\ *[0-9]+\.[0-9]{3}$ ]]
	[[ $(sed -n 2p log) == *$'sh $\'a\\nx\'' ]]
}

@test "the job log says -1 of a task whose end was not its own" {
	ipp map --engines 1 -k --task-timeout 0.2 --joblog log -- sleep ::: 1000 0
	[ "$(cut -f 1,7,8 log | tail -n +2)" = $'1\t-1\t0\n2\t0\t0' ]
}

# two_done: the map's items 1 and 2 have ended; item 0 has not
two_done() { ipp-run queue --json | jq -e '.done == 2' >/dev/null; }
# shellcheck disable=SC2016
behind_the_first='case $1 in 0) cat gate; exit 7 ;; 1) echo 1 ;; *) echo 2; exit 3 ;; esac'

@test "what has ended is on record after Ctrl-C, though its turn to be printed never came" {
	start 2
	mkfifo gate
	ipp-run map -k --hwm 1 --joblog log --results out -- sh -c "$behind_the_first" sh ::: 0 1 2 >printed 2>said &
	wait_until 10 two_done
	kill -INT $!
	status=0
	wait $! || status=$?
	[ "$status" = 130 ]
	[ "$(cat said)" = "ipp-run map: interrupted" ]
	[ ! -s printed ]
	[ "$(cut -f 1,7 log)" = $'Seq\tExitval\n2\t0\n3\t3' ]
	[ "$(cat out/1/1/stdout)$(cat out/1/2/stdout)$(cat out/1/2/seq)" = 123 ]
	ipp-run stop
}

@test "what has ended is on record after the first failure, and is not printed" {
	start 2
	mkfifo gate
	ipp-run map --hwm 1 --joblog log -- sh -c "$behind_the_first" sh ::: 0 1 2 >printed 2>said &
	wait_until 10 two_done
	: >gate
	status=0
	wait $! || status=$?
	[ "$status" = 1 ]
	[ "$(cat said)" = "ipp-run: item 0 on engine 0 of $host: sh exited with code 7" ]
	[ ! -s printed ]
	[ "$(cut -f 1,7 log)" = $'Seq\tExitval\n1\t7\n2\t0\n3\t3' ]
	ipp-run stop
}

@test "what has ended is on record after the loss of the controller" {
	start 2
	mkfifo gate
	ipp-run map -k --hwm 1 --json -- sh -c "$behind_the_first" sh ::: 0 1 2 >printed 2>said &
	wait_until 10 two_done
	kill -9 "$(ours ipp-controller)"
	status=0
	wait $! || status=$?
	[ "$status" = 125 ]
	[ "$(jq -c '[.index, .exit]' printed)" = $'[1,0]\n[2,3]' ]
}

@test "--timeout counts what has ended and waits to be printed" {
	ipp map --engines 2 --timeout 2 --json -- sleep ::: 1000 0
	[ "$status" = 124 ]
	[[ $stderr == *"are over: 1 tasks have ended, the others are cancelled" ]]
	[ "$(jq .index <<<"$output")" = 1 ]
}

@test "outputs lie in folders, whatever the items are" {
	long=$(printf 'x%.0s' {1..300})
	ipp map --engines 2 --results out -- sh -c 'printf "%s\n" "$1"; printf "%s\n" "$1" >&2' sh ::: 'a/b' '..' '.' '' 'a\b' 'same' 'same' "$long" "$long" $'t\tn\n'
	show
	[ "$status" = 0 ]
	ls out/1
	[ "$(cat 'out/1/a\_b/stdout')" = a/b ]
	[ "$(cat 'out/1/\../stderr')" = .. ]
	[ "$(cat 'out/1/\./stdout')" = . ]
	[ "$(cat 'out/1/\/stdout')" = "" ]
	[ "$(cat 'out/1/a\\b/stdout')" = 'a\b' ]
	[ "$(cat 'out/1/same/seq')" = 6 ]
	[ "$(cat 'out/1/same\7/stdout')" = same ]
	[ "$(cat 'out/1/t\tn\n/seq')" = 10 ]
	[ "$(cat out/1/xxx*'\8'/stdout)" = "$long" ]
	[ "$(cat out/1/xxx*'\9'/stdout)" = "$long" ]
	[ "$(find out/1 -mindepth 1 -maxdepth 1 | wc -l)" = 10 ]
	ipp map --engines 1 --results out -- echo again ::: same # another map writes over it
	[ "$(cat out/1/same/stdout)" = "again same" ]
	[ "$(cat out/1/same/seq)" = 1 ]
}

@test "of several lists the folders lie in one another" {
	ipp map --engines 1 --results out "$sample:place" ::: a b ::: 1 2
	[ "$(cat out/1/b/2/1/stdout)" = 2 ]
}

@test "where results cannot be written it is said once, and nothing is lost" {
	mkdir out
	if ! mount -t tmpfs -o size=64k tmpfs out 2>/dev/null; then
		skip_test "only root can mount a small file system"
	fi
	ipp map --engines 2 --results out -- sh -c 'head -c 30000 /dev/zero | tr "\0" x; echo "$1"' sh ::: 1 2 3 4
	umount out
	echo "$stderr"
	[ "$status" = 125 ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "ipp-run: --results out: what item "?" wrote cannot be stored: No space left on device; the map goes on without it" ]]
	[ "$(tr -d x <<<"$output")" = $'1\n2\n3\n4' ]
}

@test "links that somebody put among results lead nowhere" {
	mkdir -p real/1 elsewhere
	ln -s real out                          # the folder itself may be one
	ln -s "$PWD/elsewhere" real/1/a
	mkdir real/1/b
	ln -s "$PWD/elsewhere/mine" real/1/b/stdout
	for link in a b; do # whichever is met first ends the storing
		ipp map --engines 1 --results out -- echo ::: $link c
		[ "$status" = 125 ]
		[ "$output" = "$link"$'\nc' ]
		[[ $stderr == *"what item 0 wrote cannot be stored"* ]]
		[ -z "$(ls elsewhere)" ]
	done
	ipp map --engines 1 --results out -- echo ::: c
	[ "$status" = 0 ]
	[ "$(cat real/1/c/stdout)" = c ]
}

@test "a log that cannot be written is found out before a task runs" {
	ipp map --engines 1 --joblog /none/log -- touch ran ::: 1
	[ "$status" = 125 ]
	[ "$stderr" = "ipp-run: --joblog /none/log cannot be written: No such file or directory" ]
	ipp map --engines 1 --results /dev/null -- touch ran ::: 1
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run: --results /dev/null: cannot be written: "* ]]
	ipp map --engines 1 --joblog /dev/full -- echo ::: 1 2
	[ "$status" = 125 ]
	[ "$output" = $'1\n2' ]
	[ "$stderr" = "ipp-run: /dev/full cannot be written: No space left on device; the map goes on without it" ]
}

@test "with --json each task is an object" {
	# shellcheck disable=SC2016
	ipp map --engines 1 --json -k -- sh -c 'printf "$1"; echo no >&2; exit $2' sh ::: 'x' '\377' ::: 0 7
	show
	[ "$status" = 2 ]
	[ "$stderr" = "" ]
	[ "${#lines[@]}" = 4 ]
	[ "$(jq -c '[.index, .item, .engine, .host, .exit, .signal, .outcome, .stdout, .stderr, .value, .tries]' <<<"${lines[0]}")" = \
		'[0,["x","0"],0,"'"$(hostname)"'",0,null,"ok","x","no\n",null,1]' ]
	[ "$(jq -c '[.exit, .outcome, .error, .stdout_base64]' <<<"${lines[3]}")" = '[7,"exited","sh exited with code 7","/w=="]' ]
	[ "$(jq '.seconds > 0 and .started > 1e9' <<<"${lines[1]}")" = true ]
	ipp map --engines 1 --json "$sample:square" 3:4
	[ "$(jq -c '[.item, .value]' <<<"$output")" = '[3,9]' ]
	ipp map --engines 1 --json "$sample:matrix" 3:4
	[ "$(jq -c '[.value.dtype, .value.shape]' <<<"$output")" = '["<f8",[2,3]]' ]
	head -c 100001 /dev/urandom >bytes # more than is encoded at once
	ipp map --engines 1 --json -- cat ::: bytes
	jq -r .stdout_base64 <<<"$output" | base64 -d | cmp - bytes
}

# Where it took more than a second it was no short one.
short_map_has_no_bar()
{
	[ "$(script -qec "ipp-run map -- sleep ::: 0.2" /dev/null)" = "" ]
}

@test "a map of less than a second has no bar on a terminal" {
	start 1
	wait_until 30 short_map_has_no_bar
	ipp-run stop
}

@test "a bar is shown where it is asked for or stderr is a terminal, else not" {
	ipp map --engines 2 -- echo ::: 1 2
	[ "$stderr" = "" ]
	ipp map --engines 2 --progress -k -- sh -c 'exit $1' sh ::: 0 1
	[ "$status" = 1 ]
	[[ $stderr == *"0/2 0 % "*"2/2 100 % "*"/s ETA 0:00, 1 failed"* ]]
	run script -qec "ipp-run map --engines 1 -- sleep ::: 0.6 0.6 0.6" /dev/null
	[[ $output == *"2/3 66 %"* ]]
	run script -qec "ipp-run map --engines 1 --no-progress -- sleep ::: 0.6 0.6" /dev/null
	[ "$output" = "" ]
}

# ---- wrong use ----

@test "items that cannot be are refused in a sentence" {
	refused "the range 1:5:0 has a step of 0" map -- echo ::: 1:5:0
	refused "'x' behind the function is no range START:STOP" map "$sample:square" x
	refused "/none cannot be read: No such file or directory" map -a /none -- echo
	refused "stdin is one list of items, and cannot be read for another: give that behind :::, or in a file with -a" map -a - -a - -- echo
	refused "is no argument NAME=VALUE" apply "$sample:square" 0:5
	head -c 200000 /dev/zero | tr '\0' x >long
	refused "an item of long has more than 131071 bytes" map --engines 1 -a long -- echo
	ipp map --engines 1 -- echo "$(head -c 100000 long)" ::: "$(head -c 100000 long)"
	[ "$status" = 0 ]
	ipp map --engines 1 -- echo "{}{}" ::: "$(head -c 100000 long)"
	[ "$status" = 126 ]
	[[ $stderr == "ipp-run: item 0 on engine "?" of $host: a word of the command would have more than 131071 bytes"* ]]
	run --separate-stderr ipp-run map --engines 1 -- echo < <(printf 'a\0b\n')
	[ "$status" = 126 ]
	[[ $stderr == "ipp-run: item 0 on engine "?" of $host: a NUL byte is in the item"* ]]
}

@test "an item of 2 GB is refused without taking as much memory" {
	truncate -s 2G huge
	(
		[[ $programs == *address* ]] || ulimit -v 1000000 # whose shadow is larger
		refused "an item of huge has more than 67108864 bytes" map --engines 1 -a huge "$sample:square"
	)
}

@test "numbers and ids that are none are refused" {
	refused "--chunk 0: give a whole number from 1" map --chunk 0 -- echo
	refused "--chunk +3: give a whole number from 1" map --chunk +3 -- echo
	refused "--chunk  -18446744073709551615: give a whole" map --chunk ' -18446744073709551615' -- echo
	refused "--retries x: give a whole number from 0" map --retries x -- echo
	refused "--timeout 0: give a number of seconds" map --timeout 0 -- echo
	refused "--task-timeout -1: give a number of seconds" map --task-timeout -1 -- echo
	refused "'7' is no request" map --after 7 -- echo
	refused "there is no engine 5" map --engines 2 --targets 5 -- echo ::: 1
}

# ---- memory ----

@test "results that wait for their turn do so in a file beyond 64 MB" {
	mkfifo gate
	# Item 0 waits until the others, 150 MB of them, have been written.
	# shellcheck disable=SC2016
	ipp-run map --engines 2 -- sh -c 'if [ $1 = 0 ]; then cat gate; else head -c 10000000 /dev/zero | tr "\0" x; fi; echo $1' sh ::: 0:16 >got &
	wait_until 30 waits_in_a_file $!
	peak=$(awk '/VmHWM/ { print $2 }' "/proc/$!/status")
	wait_until 30 sh -c 'echo >gate'
	wait $!
	[ "$(tr -d x <got)" = "$(echo; seq 0 15)" ]
	[ "$(wc -c <got)" -gt 150000000 ]
	echo "peak $peak kB"
	((peak < 130000))
}

# 70 MB of results lie in the client's file, and are counted by its offset.
waits_in_a_file()
{
	local fd
	for fd in /proc/"$1"/fd/*; do
		if [[ $(readlink "$fd") == *"(deleted)" && $(stat -Lc %s "$fd") -gt 70000000 ]]; then
			return 0
		fi
	done
	return 1
}

@test "the bar moves while a long task runs" {
	ipp map --engines 1 --progress -- sleep ::: 1.7
	show
	[ "$(tr '\r' '\n' <<<"$stderr" | grep -c '0/1 0 %')" -ge 2 ]
}
