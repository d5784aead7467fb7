#!/usr/bin/env bats
# What tasks do to their worker, in each runtime: the cause is told with the end of what was written,
# the others go on, nothing of it is left, and the engine stays with what was pushed to it.

# shellcheck disable=SC2016,SC2154      # $ is for the shells that are started; helper.bash has more
load helper

act=$programs/tests/modules/fragile.so:act

# Engines and their variables are as they were when this was called first.
unharmed()
{
	local now
	now=$(ipp-run ids && ipp-run pull kept)
	: "${before:=$now}"
	[ "$now" = "$before" ]
	wait_until 5 n_run ipp-worker 2
}

begin()
{
	start 2
	ipp-run push kept=precious
	unharmed
}

@test "whatever a function does costs its task alone, and the cause is told" {
	begin
	ipp map -k "$act" ::: 0 abort 2 kill 4 leave 6 exec 8 close 10 'close link' 12 segv alarm term 'end child'
	show
	[ "$status" = 9 ]
	[ "$output" = "$(printf '%s\n' 0 2 4 'half a line6' 8 10 12 16)" ]
	said=("last words"
		"*item 1 on engine ? of *: its worker was killed by signal 6 (Aborted)"
		"*item 3 on engine ? of *: its worker was killed by signal 9 (Killed)"
		"*item 5 on engine ? of *: it ended its worker with exit code 9"
		"*item 7 on engine ? of *: its worker lost the link to it, by closing it or becoming another program, and was killed"
		"*item 9 on engine ? of *: its worker lost the link to it, by closing it or becoming another program, and was killed"
		"*item 11 on engine ? of *: its worker lost the link to it, by closing it or becoming another program, and was killed"
		"words before a fault"
		"*item 13 on engine ? of *: its worker was killed by signal 11 (Segmentation fault)"
		"*item 14 on engine ? of *: its worker was killed by signal 14 (Alarm clock)"
		"*item 15 on engine ? of *: its worker was killed by signal 15 (Terminated)")
	[ "${#stderr_lines[@]}" = "${#said[@]}" ]
	for i in "${!said[@]}"; do
		# shellcheck disable=SC2053     # they are patterns
		[[ ${stderr_lines[i]} == ${said[i]} ]]
	done
	unharmed
	n_run sleep 0
	ipp-run stop
}

@test "a function that closes its descriptors is found among many short ones" {
	ipp map --engines 1 -k --chunk 200 "$act" ::: $(seq 0 99) close $(seq 101 199)
	show
	[ "$status" = 1 ]
	[ "$output" = "$(seq 0 199 | grep -vx 100)" ]
	[[ $stderr == *"item 100 on engine 0 of "*": its worker lost the link to it"* ]]
}

@test "a function that writes over results that wait costs no other task its own" {
	# shellcheck disable=SC2046      # these are words
	ipp map --engines 1 --json --chunk 200 "$act" ::: $(for i in {1..50}; do echo write; done) 'cut short' write
	show
	[ "$status" = 0 ]
	[ "$(jq -c '[.index, .stdout]' <<<"$output")" = \
		"$(for i in {0..51}; do [ "$i" = 50 ] && echo '[50,""]' || printf '[%s,"out\\n"]\n' "$i"; done)" ]
}

@test "a function whose own result is written over each time is told so, and the rest goes on" {
	begin
	ipp map -k --chunk 1 --targets 0 "$act" ::: write miscount write
	show
	[ "$status" = 1 ]
	[ "$output" = $'out\n0\nout\n2' ]
	[[ $stderr == *"item 1 on engine 0 of "*": its worker sent a result that is none, as after a function that wrote where it should not, and was killed"* ]]
	unharmed
	ipp-run stop
}

@test "a function that closes stdin, stdout and stderr leaves the next one its own" {
	ipp map --engines 1 "$act" ::: 'close three' say
	show
	[ "$output" = $'0\nout\nchild\n1' ]
	[ "$stderr" = $'err\nchild' ]
}

@test "what a function writes is its task's, and what it leaves running is killed" {
	begin
	ipp map --json --task-timeout 20 "$act" ::: say 'close three' fork say 'leave children' 5
	show
	[ "$status" = 0 ]
	[ "$(jq -c '[.value, .stdout, .stderr]' <<<"$output")" = "$(printf '%s\n' \
		'[0,"out\nchild\n","err\nchild\n"]' '[1,"",""]' '[2,"",""]' \
		'[3,"out\nchild\n","err\nchild\n"]' '[4,"",""]' '[5,"",""]')" ]
	n_run sleep 0
	unharmed
	ipp-run stop
}

@test "what a function leaves running ends with it, be the next one in its batch endless" {
	begin
	id=$(ipp-run map --async --chunk 2 --targets 0 "$act" ::: 'leave children' hang)
	wait_until 30 eval 'ipp-run queue --json | jq -e ".done == 1" >/dev/null'
	n_run sleep 0
	ipp-run cancel "$id"
	unharmed
	ipp-run stop
}

@test "whatever a command does costs its task alone, and the cause is told" {
	begin
	ipp map -k -- sh -c '
		echo "end of $1" >&2
		case $1 in
		kill) kill -KILL $$ ;;
		segv) kill -SEGV $$ ;;
		close) exec <&- >&- 2>&-; exit 3 ;;
		daemon) (setsid sh -c "sleep 1000 & sleep 1000" &) ;;
		worker) kill -9 $PPID ;;
		*) echo $1 ;;
		esac' sh ::: 0 kill segv close daemon worker 6
	show
	[ "$status" = 4 ]
	[ "$output" = $'0\n6' ]
	[[ $stderr == *"end of kill"*"item 1 on engine "?" of "*": sh was killed by signal 9 (Killed)"*"end of segv"*"item 2 on engine "?" of "*": sh was killed by signal 11 (Segmentation fault)"*"end of close"*"item 3 on engine "?" of "*": sh exited with code 3"*"end of worker"*"item 5 on engine "?" of "*": its worker was killed by signal 9 (Killed)"* ]]
	n_run sleep 0
	unharmed
	ipp-run stop
}

@test "whatever a line or a script does is told, and the engine stays" {
	begin
	for verb in execute 'run ./script'; do
		for harm in 'kill -SEGV $$' 'kill -9 $PPID' 'exec >&- 2>&-; exit 3'; do
			printf '#!/bin/sh\necho "its last words" >&2; %s\n' "$harm" >script
			# shellcheck disable=SC2086     # two words
			case $verb in
			execute) ipp execute "$(tail -1 script)" ;;
			*) ipp $verb ;;
			esac
			show
			[ "$status" = 2 ]
			[[ $stderr == *"its last words"* ]]
			[[ $stderr == *"killed by signal "[19]*"("*")"* || $stderr == *" code 3"* ]]
			unharmed
		done
	done
	ipp execute 'setsid sleep 1000 & sleep 1000 & kill -9 $$'
	[ "$status" = 2 ]
	n_run sleep 0
	ipp-run stop
}

@test "of a command that kills its worker, the end of what it wrote is told" {
	ipp map --engines 1 -k --json -- sh -c 'seq 100000 >&2; echo out; echo the end >&2; kill -9 $PPID' ::: 1
	show
	[ "$(jq -r .stdout <<<"$output")" = out ]
	[ "$(jq '.stderr | length' <<<"$output")" = 65536 ]
	[[ $(jq -r .stderr <<<"$output") == *$'99999\n100000\nthe end' ]]
}

# Each runtime hangs, deaf to SIGTERM: hanging OPTIONS... RUNTIME
hanging()
{
	case ${!#} in
	native) ipp-run map "${@:1:$#-1}" "$act" ::: hang hang ;;
	command) ipp-run map "${@:1:$#-1}" -- bash -c 'trap "" TERM; sleep 1000 & wait' bash ::: 1 2 ;;
	shell) ipp-run execute "${@:1:$#-1}" 'trap "" TERM; sleep 1000 & wait' ;;
	script) ipp-run run "${@:1:$#-1}" ./hang ;;
	esac
}

# A shell of an engine stays, so what hangs is known by its sleep.
none_hangs() { n_run sleep 0 && [ -z "$(ipp-run queue --json)" ]; }
two_hang() { ipp-run status --json | jq -e '[.engines[] | select(.state == "busy")] | length == 2' >/dev/null; }

@test "--task-timeout ends what runs in each runtime, though it is deaf to SIGTERM" {
	printf '#!/bin/bash\ntrap "" TERM; sleep 1000 & wait\n' >hang
	begin
	for runtime in native command shell script; do
		since=${EPOCHREALTIME/./}
		run hanging --task-timeout 0.2 $runtime
		elapsed_ms=$(((${EPOCHREALTIME/./} - since) / 1000))
		echo "$runtime: $elapsed_ms ms, status $status: $output"
		[[ $status = [12] ]]
		[[ $output == *"ran longer than the 0.2 s of --task-timeout"* ]]
		((elapsed_ms < 10000)) # aim: 200 and at most 1000
		n_run sleep 0
		unharmed
	done
	ipp-run stop
}

@test "cancel ends what runs in each runtime, though it is deaf to SIGTERM" {
	printf '#!/bin/bash\ntrap "" TERM; sleep 1000 & wait\n' >hang
	begin
	for runtime in native command shell script; do
		id=$(hanging --async $runtime)
		wait_until 10 two_hang
		ipp-run cancel "$id"
		wait_until 10 none_hangs # aim: within 1 s
		unharmed
	done
	ipp-run stop
}

@test "a command that writes without end is killed, and the memory of its engine does not grow" {
	begin
	# shellcheck disable=SC2094     # `out` is an item
	ipp-run map -k -- sh -c 'case $1 in
		out) echo flood >&2; exec cat /dev/zero ;;
		*) echo $1 ;;
		esac' sh ::: 0 out 2 >out 2>err || status=$?
	cat err
	[ "$status" = 1 ]
	[ "$(tr -d '\0' <out)" = $'0\n2' ]
	grep -x flood err
	grep "item 1 on engine . of .*: sh wrote more than 256 MiB to its stdout (let it write to a file) and was killed" err
	for engine in $(ours ipp-engine); do
		memory_kb=$(sed -n 's/^RssAnon:\s*\([0-9]*\) kB/\1/p' "/proc/$engine/status")
		echo "$memory_kb kB"
		((memory_kb < 150000))
	done
	unharmed
	ipp-run execute 'cat /dev/zero >&2' 2>err || status=$?
	[ "$status" = 2 ]
	[[ $(tr -d '\0' <err) == *"'cat /dev/zero >&2' wrote more than 256 MiB to its stderr (let it write to a file), and its shell was killed"* ]]
	unharmed
	ipp-run stop
}

@test "a full disk is told by the task that filled it, and the rest goes on" {
	mkdir full
	if ! mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
		skip_test "only root can mount a small file system"
	fi
	TMPDIR=$PWD/full run --separate-stderr ipp-run map --engines 2 -k -- sh -c '
		[ $1 != 1 ] || cat /dev/zero >$TMPDIR/file || exit 3
		echo $1' sh ::: 0 1 2 3
	umount full
	show
	[ "$status" = 1 ]
	[ "$output" = $'0\n2\n3' ]
	[[ $stderr == *"No space left on device"*"item 1 on engine "?" of "*": sh exited with code 3"* ]]
}
