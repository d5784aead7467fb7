#!/usr/bin/env bats
# --journal and --resume: what was done is not done again, however ipp-run ended.

load helper

sample=$programs/tests/modules/sample.so

# indices FILE: those in a journal, in order
indices() { ipp-run journal "$1" | tail -n +2 | cut -f1 | sort -n; }

# n_results FILE
n_results() { ipp-run journal "$1" 2>/dev/null | tail -n +2 | wc -l; }

has_results() { (($(n_results "$1") >= $2)); }

# Fails for 3 as long as there is no file "good".
# shellcheck disable=SC2016
touchy='echo x >>ran.$1; echo "$IPP_INDEX $1"; [ "$1" != 3 ] || [ -e good ]'

# ---- going on ----

@test "what failed is run again, and nothing else; the output is whole" {
	ipp map --engines 2 -k --journal j -- sh -c "$touchy" sh ::: 1 2 3 4
	show
	[ "$status" = 1 ]
	[ "$(indices j)" = $'0\n1\n3' ]
	touch good
	ipp map --engines 2 -k --journal j --resume -- sh -c "$touchy" sh ::: 1 2 3 4
	show
	[ "$status" = 0 ]
	[ "$output" = $'0 1\n1 2\n2 3\n3 4' ]
	[ "$stderr" = "" ]
	[ "$(indices j)" = $'0\n1\n2\n3' ]
	[ "$(cat ran.1 ran.2 ran.4 | wc -l)" = 3 ]
	[ "$(wc -l <ran.3)" = 2 ]
	ipp map --engines 2 --journal j --resume -- sh -c "$touchy" sh ::: 1 2 3 4
	[ "$output" = $'0 1\n1 2\n2 3\n3 4' ]
	[ "$(cat ran.* | wc -l)" = 5 ]
}

@test "a map without a journal to go on from begins one, and more items may follow" {
	ipp map --engines 1 --journal j --resume -- echo ::: a b
	[ "$output" = $'a\nb' ]
	[ "$(stat -c %a j)" = 600 ]
	ipp map --engines 1 --journal j --resume -- echo ::: a b c
	show
	[ "$output" = $'a\nb\nc' ]
	[ "$(indices j)" = $'0\n1\n2' ]
}

@test "earlier results are in the log, the folders and the lines of JSON too, as they were" {
	# shellcheck disable=SC2016
	set -- -k --journal j --joblog log --results out --json -- sh -c 'echo "out $1"; echo "err $1" >&2; [ "$1" != b ] || [ -e good ]' sh ::: a b c
	ipp map --engines 1 "$@"
	[ "$status" = 1 ]
	before=$(jq -c 'select(.exit == 0)' <<<"$output")
	[ "$(wc -l <<<"$before")" = 2 ]
	rm -r log out
	touch good
	ipp map --engines 1 --resume "$@"
	show
	[ "$status" = 0 ]
	[ "$(jq -c 'select(.index != 1)' <<<"$output")" = "$before" ]
	[ "$(jq -c .stdout <<<"$output")" = $'"out a\\n"\n"out b\\n"\n"out c\\n"' ]
	[ "$(cut -f 1,7 log)" = $'Seq\tExitval\n1\t0\n2\t0\n3\t0' ]
	[ "$(cat out/1/a/stdout out/1/c/stderr)" = $'out a\nerr c' ]
}

@test "earlier results are no part of the rate that a bar shows" {
	ipp map --engines 1 --journal j -- echo ::: 1 2 3
	ipp map --engines 1 --journal j --resume --progress -- echo ::: 1 2 3
	show
	[[ $stderr == *"3/3 100 % 0.0/s ETA ?"* ]]
}

@test "values of functions come back as they were, in any order that is asked for" {
	ipp map --engines 2 --journal j "$sample:square" 0:1000
	squares=$output
	for more in '' -u --unordered; do
		ipp map --engines 2 --journal j --resume $more "$sample:square" 0:1100
		[ "$status" = 0 ]
		[ "$(head -n 1000 <<<"$output")" = "$squares" ]
		[ "$(wc -l <<<"$output")" = 1100 ]
	done
	[ "$(indices j)" = "$(seq 0 1099)" ]
	ipp map --engines 2 --journal arrays "$sample:matrix" 0:3
	before=$output
	ipp map --engines 2 --journal arrays --resume --json "$sample:matrix" 0:3
	show
	[[ $before == "array <"* ]]
	[ "$(jq -r .value.shape[0] <<<"$output" | sort -u | wc -l)" -ge 1 ]
}

@test "a map that ran out of time goes on later" {
	ipp map --engines 2 --timeout 3 --journal j -- sh -c 'sleep $1; echo $1' sh ::: 0 1000 0.01
	[ "$status" = 124 ]
	[ "$output" = 0 ]
	[ "$(indices j)" = $'0\n2' ]
	ipp map --engines 2 --timeout 0.1 --resume --journal j -- sh -c 'sleep $1; echo $1' sh ::: 0 1000 0.01
	[ "$status" = 124 ]
	[ "$(indices j)" = $'0\n2' ]
}

# told_of_ctrl_c VERB N: the one that runs in the background gets it, and says how many of N are done
told_of_ctrl_c()
{
	kill -INT $!
	status=0
	wait $! || status=$?
	cat said
	[ "$status" = 130 ]
	[ "$(cat said)" = "ipp-run $1: interrupted: $(n_results j) of $2 tasks are done and in j; the same command with --resume goes on from there" ]
}

@test "Ctrl-C says how much is done, and how to go on" {
	# shellcheck disable=SC2016
	set -- --journal j -- sh -c '[ "$1" -lt 3 ] || [ -e good ] || sleep 1000; echo $1' sh ::: 0:10
	start 2
	ipp-run map "$@" >out 2>said &
	wait_until 20 has_results j 3
	wait_until 20 n_run sleep 2
	told_of_ctrl_c map 10
	[ "$(n_results j)" = 3 ]
	touch good
	ipp map --resume "$@"
	[ "$output" = "$(seq 0 9)" ]
	rm j
	ipp-run loo --trees 3000 --full-trees --held-out 0:100 --journal j >out 2>said &
	wait_until 20 has_results j 1
	told_of_ctrl_c loo 100
	ipp-run stop
}

# ---- kills ----

# larger_than BYTES PID: j is, or the process has ended
larger_than() { (($(stat -c %s j 2>/dev/null || echo 0) > $1)) || gone "$2"; }

# killed_at BYTES ARGS...: run ipp-run until j is so large, and kill it then; $killed is its exit code
killed_at()
{
	local bytes=$1
	shift
	ipp-run "$@" </dev/null >>killed.out 2>>killed.err &
	wait_until 30 larger_than "$bytes" $!
	kill -9 $! || true # it may have ended
	killed=0
	wait $! || killed=$?
	wait_until 10 none_left
}

@test "killed again and again, it completes, each item once in the journal" {
	RANDOM=6 # the seed
	# shellcheck disable=SC2016
	set -- -- sh -c 'echo "$IPP_INDEX: $1"; echo x >>ran' sh ::: 1000:1300
	whole=$(for ((i = 0; i < 300; i++)); do echo "$i: $((1000 + i))"; done)
	for order in '' --unordered; do
		rm -f j ran
		at=144 # bytes of the head
		for _ in {1..6}; do
			at=$((at + RANDOM % 1800))
			killed_at "$at" map --engines 2 --journal j --resume $order "$@"
			[ -z "$(indices j | uniq -d)" ]
			at=$(stat -c %s j)
		done
		ipp map --engines 2 --journal j --resume $order "$@"
		echo "$stderr"
		[ "$status" = 0 ]
		[ "$(sort -n <<<"$output")" = "$whole" ]
		[ "$order" ] || [ "$output" = "$whole" ]
		[ "$(indices j)" = "$(seq 0 299)" ]
		(($(wc -l <ran) < 300 + 6 * 20)) # what ran when it was killed
	done
}

@test "loo that was killed finds the same, to the bit" {
	set -- --held-out 0:20 --trees 400 --full-trees --json
	ipp loo --engines 2 "$@"
	whole=$(jq -cS 'del(.seconds, .task_seconds)' <<<"$output")
	killed_at 300 loo --engines 2 "$@" --journal j
	[ "$killed" = 137 ]
	has_results j 1
	if has_results j 20; then false; fi
	ipp loo --engines 2 "$@" --journal j --resume
	show
	[ "$(jq -cS 'del(.seconds, .task_seconds)' <<<"$output")" = "$whole" ]
	[ "$(indices j)" = "$(seq 0 19)" ]
}

@test "what other studies found is kept as well" {
	for study in 'loo --estimator oob' 'cv --folds 4' 'forest fit --importance'; do
		rm -f j
		# shellcheck disable=SC2086
		ipp $study --engines 2 --trees 20 --json --journal j
		[ "$status" = 0 ]
		whole=$(jq -cS 'del(.seconds)' <<<"$output")
		size=$(stat -c %s j)
		# shellcheck disable=SC2086
		ipp $study --engines 1 --trees 20 --json --journal j --resume
		show
		[ "$(jq -cS 'del(.seconds, .engines)' <<<"$output")" = "$(jq -cS 'del(.engines)' <<<"$whole")" ]
		[ "$(stat -c %s j)" = "$size" ]
	done
}

@test "a lost controller leaves it whole" {
	start 2
	# shellcheck disable=SC2016
	set -- --journal j -- sh -c '[ "$1" -lt 20 ] || [ -e good ] || sleep 1000; echo $1' sh ::: 0:40
	ipp-run map "$@" >out 2>err &
	wait_until 20 has_results j 15 # a worker may still have what took it less than a millisecond
	kill -9 "$(ours ipp-controller)"
	status=0
	wait $! || status=$?
	[ "$status" = 125 ]
	wait_until 10 none_left
	[ -z "$(indices j | uniq -d)" ]
	(($(indices j | tail -n 1) < 20))
	touch good
	ipp map --engines 2 --resume "$@"
	show
	[ "$output" = "$(seq 0 39)" ]
	[ "$stderr" = "" ]
}

# ---- a full disk ----

@test "on a full disk the map ends in one sentence, and goes on when there is room" {
	mkdir small
	if ! mount -t tmpfs -o size=64k tmpfs small 2>/dev/null; then
		skip_test "only root can mount a small file system"
	fi
	# shellcheck disable=SC2016
	set -- map --engines 2 --journal small/j --resume -- sh -c 'head -c 9000 /dev/zero | tr "\0" x; echo "$1"' sh ::: 1:21
	ipp "$@"
	echo "$status $stderr"
	one=$stderr n=${#stderr_lines[@]} code=$status
	ours=$(indices small/j)
	mount -o remount,size=1m small
	ipp "$@"
	show
	all=$(indices small/j)
	umount small
	[ "$code" = 125 ]
	[ "$n" = 1 ]
	[ "$one" = "ipp-run map: small/j cannot be written: No space left on device; it is good up to there: make room, and go on with --resume" ]
	[ "$(wc -l <<<"$ours")" -ge 4 ]
	[ "$(wc -l <<<"$ours")" -le 7 ]
	[ "$status" = 0 ]
	[ "$stderr" = "" ]
	[ "$(tr -d x <<<"$output")" = "$(seq 1 20)" ]
	[ "$all" = "$(seq 0 19)" ]
}

@test "where files may not grow, it is likewise" {
	# shellcheck disable=SC2016
	set -- map --engines 1 --journal j --resume -- sh -c 'head -c 9000 /dev/zero | tr "\0" x; echo "$1"' sh ::: 1:11
	(
		ulimit -f 40
		ipp-run "$@" >out 2>err
	) || status=$?
	cat err
	[ "$status" = 125 ]
	[ "$(cat err)" = "ipp-run map: j cannot be written: File too large; it is good up to there: make room, and go on with --resume" ]
	n=$(n_results j)
	((n >= 3 && n < 10))
	ipp "$@"
	[ "$stderr" = "" ]
	[ "$(tr -d x <<<"$output")" = "$(seq 1 10)" ]
}

# ---- wrong use ----

@test "a torn end is dropped and said so; what comes behind a damage is kept in files of its own" {
	ipp map --engines 1 --chunk 1 --journal j -- echo ::: 0:5
	cp j whole
	truncate -s -7 j
	ipp map --engines 1 --journal j --resume -- echo ::: 0:5
	show
	[ "$status" = 0 ]
	[ "$output" = "$(seq 0 4)" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "ipp-run: j is whole up to byte "*"; the "*" bytes behind are dropped, and what they told of runs again" ]]
	[ "$(indices j)" = "$(seq 0 4)" ]
	cp whole j
	[ ! -e j.damaged ]
	printf x | dd of=j bs=1 seek=230 conv=notrunc status=none
	cp j damaged
	ipp journal j
	show
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run journal: j is damaged from byte "[12]*" on, and what lies there is not listed: with --resume its map runs that again" ]]
	ln -s elsewhere j.damaged
	for kept in j.damaged.2 j.damaged.3; do
		cp damaged j
		ipp map --engines 1 --journal j --resume -- echo ::: 0:5
		show
		[ "$output" = "$(seq 0 4)" ]
		[[ $stderr == "ipp-run: j is whole up to byte "[12]*"; the "*" bytes behind are damaged and now in $kept, and what they told of runs again" ]]
		[ "$(indices j)" = "$(seq 0 4)" ]
		at=${stderr#*byte }
		tail -c +$((${at%%;*} + 1)) damaged | cmp - $kept
	done
	[ ! -e elsewhere ]
	cp damaged j
	mkdir locked
	mv j locked
	chattr +i locked 2>/dev/null || skip_test "the file system cannot lock a folder"
	ipp map --engines 1 --journal locked/j --resume -- echo ::: 0:5
	chattr -i locked
	show
	[ "$status" = 125 ]
	[[ $stderr == "ipp-run map: locked/j is damaged, and left as it is, for the part that cannot be read cannot be copied to locked/j.damaged: "* ]]
	cmp damaged locked/j
}

@test "the journal of another map is refused, and stays as it is" {
	cp "$sample" mine.so
	ipp map --engines 1 --journal j ./mine.so:square 0:3
	cp j before
	refused "j is the journal of another map: ./mine.so:square; give --journal another file" \
		map --journal j --resume -- echo ::: 0 1 2
	refused "j is the journal of another map: ./mine.so:square; give" map --journal j --resume ./mine.so:place 0:3
	echo >>mine.so
	refused "j is the journal of another map: ./mine.so:square with another module, other arguments or data; give --journal another file" \
		map --journal j --resume ./mine.so:square 0:3
	ipp map --engines 1 --journal odd -- sh -c $'exit 0\n\e[31m' ::: 1
	refused "odd is the journal of another map: sh -c exit 0??[31m; give --journal another file" map --journal odd --resume -- echo ::: 1
	ipp loo --engines 1 --trees 2 --held-out 0:2 --journal l
	refused "l is the journal of another map: forest.so:loo with" loo --journal l --resume --trees 3 --held-out 0:2 --engines 1
	refused "l is the journal of another map: forest.so:loo with" loo --journal l --resume --trees 2 --rows 400 --held-out 0:2 --engines 1
	refused "item 1 is not the one" loo --journal l --resume --trees 2 --held-out 0,5 --engines 1
	cmp j before
}

@test "changed items are refused" {
	ipp map --engines 1 --journal j -- echo ::: a b c
	refused "item 1 is not the one whose result is in j: give the items of that map in their order, or --journal another file" \
		map --engines 1 --journal j --resume -- echo ::: a x c
	[ "$(indices j)" = $'0\n1\n2' ]
}

@test "results are not written over, nor by two runs at once" {
	ipp map --engines 1 --journal j -- echo ::: a
	refused "j has the results of an earlier run: go on from there with --resume, or give another file" \
		map --journal j -- echo ::: a
	ipp-run map --engines 1 --journal busy -- sleep ::: 1000 &
	wait_until 10 [ -s busy ]
	ipp map --journal busy --resume -- sleep ::: 1000
	[ "$status" = 125 ]
	[ "$stderr" = "ipp-run map: busy is in use by another run of ipp-run: wait for its end, or give another file" ]
	kill -9 $!
	wait $! || true
}

@test "what makes no sense with a journal is said" {
	echo text >file
	refused "file is no journal and is left alone: give another file" map --journal file --resume -- echo ::: 1
	ln -s file link
	refused "link is no journal and is left alone: give another file" map --journal link -- echo ::: 1
	refused "--journal /dev/null: is not a file" map --journal /dev/null -- echo ::: 1
	refused "--journal /none/j: cannot be written: No such file or directory" map --journal /none/j -- echo ::: 1
	refused "--resume needs the --journal FILE to go on from" map --resume -- echo ::: 1
	refused "--resume needs the --journal FILE to go on from" loo --resume
	refused "--async leaves before there are results" map --async --journal j -- echo ::: 1
	refused "file is no journal and is left alone" journal file
	refused "none cannot be read: No such file or directory" journal none
	mkfifo pipe
	refused "pipe is not a file" journal pipe
	refused "--journal pipe: is not a file" map --journal pipe -- echo ::: 1
	refused "/ is not a file" journal /
	refused "--journal /: cannot be written: Is a directory" map --journal / -- echo ::: 1
	refused "which one? give a file" journal
	[ "$(cat file)" = text ]
	[ ! -e j ]
}
