#!/usr/bin/env bats
# ipp-run map and apply on local engines.

load helper

@test "apply prints Hello, World once an engine" {
	ipp apply --engines 3 -- echo "Hello, World"
	[ "$status" = 0 ]
	[ "$output" = $'Hello, World\nHello, World\nHello, World' ]
}

@test "apply prints in the order of the engines, though the last is first" {
	start 2
	first=$(ipp-run ids | sed -n '1s/.*pid=\([0-9]*\) .*/\1/p')
	mkfifo gate
	# shellcheck disable=SC2016
	ipp apply -- sh -c 'engine=$(awk "{print \$4}" /proc/$PPID/stat)
		if [ $engine = '"$first"' ]; then cat gate; echo zero; else echo >gate; echo one; fi'
	show
	[ "$output" = $'\nzero\none' ]
	ipp-run stop
}

@test "apply runs on the targets alone" {
	start 4
	run -0 ipp-run ids
	expected=$(sed -n 's/.*pid=\([0-9]*\) rank=[023]$/\1/p' <<<"$output")
	ipp apply --targets 0,2-3 -- sh -c 'awk "{print \$4}" /proc/$PPID/stat'
	show
	[ "$output" = "$expected" ] # the engine is its worker's parent
	# shellcheck disable=SC2016
	for targets in all:0,1,2,3 1:3:1,2 0:4:3:0,3; do
		ipp apply --targets "${targets%:*}" -- sh -c 'echo $IPP_RANK'
		show
		[ "$(paste -sd, <<<"$output")" = "${targets##*:}" ]
	done
	ipp-run stop
}

@test "map prints in the order of the items though later ones finish first" {
	mkfifo gate
	ipp map --engines 2 -- sh -c 'if [ $1 = a ]; then cat gate; else echo >gate; fi; echo $1' sh ::: a b
	show
	[ "$output" = $'\na\nb' ]
}

@test "items go where braces stand, as they are" {
	ipp map --engines 2 -- echo '<{}>' ::: 'a  b' '$(id)' '' "it's"
	[ "$output" = $'<a  b>\n<$(id)>\n<>\n<it\'s>' ]
}

@test "without ::: the items are the lines of stdin" {
	run -0 ipp-run map --engines 2 -- echo item < <(printf '1\n2\nlast')
	[ "$output" = $'item 1\nitem 2\nitem last' ]
	run -0 ipp-run map --engines 2 -- echo item </dev/null
	[ "$output" = "" ]
}

@test "30 MB of items arrive whole and in order" {
	yes 0123456789abcde | head -c 31457280 | tr -d '\n' | fold -w 60000 | sed 's/$/ /' |
		awk '{print NR $0}' >items
	[ "$(wc -c <items)" -gt 29000000 ]
	ipp-run map --engines 2 -- printf '%s\n' <items >got
	cmp items got
}

# The client has read as much of its file as it will.
settled()
{
	local before
	before=$(grep pos: "/proc/$1/fdinfo/0")
	IPP_TEST_MARK="" command sleep 0.3
	[ "$before" = "$(grep pos: "/proc/$1/fdinfo/0")" ]
}

@test "no more than 64 MB of items are on their way" {
	yes "$(printf '%099999d' 0)" | head -n 1500 >items # 150 MB
	ipp-run map --engines 1 -- sh -c 'sleep 1000' <items &
	wait_until 20 n_run sleep 1
	wait_until 20 settled $!
	position=$(awk '/pos:/ { print $2 }' "/proc/$!/fdinfo/0")
	kill $!
	echo "$position"
	((position > 20000000 && position < 70000000))
}

@test "results that wait for their turn cost no descriptors, however many and large" {
	# shellcheck disable=SC2016
	task='if [ $1 = 0 ]; then until [ -e 200 ]; do sleep 0.02; done; fi; : >$1; head -c 65600 /dev/zero'
	run --separate-stderr sh -c 'ulimit -n 96; ipp-run map --engines 2 --hwm 1 -- sh -c "$1" sh ::: 0:201 >out' sh "$task"
	show
	[ "$status" = 0 ]
	[ "$stderr" = "" ]
	[ "$(stat -c %s out)" = $((201 * 65600)) ]
}

@test "a NUL in an item does not cut it short for a function" {
	run -0 ipp-run map --engines 1 "$programs/tests/modules/sample.so:last_byte" < <(printf 'a\0zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzb\n')
	[ "$output" = 98 ]
}

@test "10000 small items come back once each" {
	seq 10000 >items
	ipp-run map --engines 2 "$programs/tests/modules/sample.so:place" <items >got
	seq 0 9999 | cmp - got
}

@test "tasks run in the client's directory with the client's files" {
	start 1
	mkdir here
	cd here
	echo found >it
	ipp apply -- cat it
	[ "$output" = found ]
	ipp map -- cat ::: it
	[ "$output" = found ]
	ipp-run stop
}

@test "stdout and stderr of tasks stay apart" {
	ipp map --engines 1 -- sh -c 'echo out $1; echo err $1 >&2' sh ::: 1 2
	[ "$output" = $'out 1\nout 2' ]
	[ "$stderr" = $'err 1\nerr 2' ]
}

# ---- failures of tasks ----

@test "the first failure stops a map, and nothing later is printed" {
	ipp map --engines 1 -- sh -c 'echo $1; exit $1' sh ::: 0 3 0 4
	show
	[ "$status" = 1 ]
	[ "$output" = $'0\n3' ]
	[ "$stderr" = "ipp-run: item 1 on engine 0 of $host: sh exited with code 3" ]
}

@test "with --keep-going the exit code is the number of failures" {
	ipp map --engines 2 --keep-going -- sh -c 'echo $1; exit $1' sh ::: 0 3 0 4
	show
	[ "$status" = 2 ]
	[ "$output" = $'0\n3\n0\n4' ]
	[ "${#stderr_lines[@]}" = 2 ]
}

@test "more than a hundred failures are 101" {
	ipp map --engines 2 -k -- false ::: $(seq 150)
	[ "$status" = 101 ]
}

@test "a command that is not there is 127, one that cannot run 126" {
	run -127 --separate-stderr ipp-run map --engines 1 -- no-such-command ::: 1
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: cannot run no-such-command: No such file or directory" ]
	ipp apply --engines 1 -- /etc/passwd
	[ "$status" = 126 ]
	[ "$stderr" = "ipp-run: engine 0 of $host: cannot run /etc/passwd: Permission denied" ]
}

@test "a task killed by a signal is reported by it" {
	ipp map --engines 1 -k -- sh -c 'kill -TERM $$' ::: 1
	[ "$status" = 1 ]
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: sh was killed by signal 15 (Terminated)" ]
}

@test "a function that crashes costs its task alone" {
	ipp map --engines 2 -k "$programs/tests/modules/sample.so:crash" ::: 1 2 3 4 5
	show
	[ "$status" = 1 ]
	[[ $stderr == "ipp-run: item 2 on engine "?" of $host: its worker was killed by signal "* ||
		$stderr == *"ipp-run: item 2 on engine "?" of $host: it ended its worker "* ]] # the latter by ASan
}

@test "a function that ends its process costs its task alone" {
	ipp map --engines 1 -k "$programs/tests/modules/sample.so:leave" ::: 1 2
	show
	[ "$status" = 2 ]
	[ "${stderr_lines[1]}" = "ipp-run: item 1 on engine 0 of $host: it ended its worker with exit code 9" ]
}

@test "a module's own failure and a missing module are told" {
	ipp map --engines 1 "$programs/tests/modules/sample.so:complain" ::: 1
	[ "$status" = 1 ]
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: I will not" ]
	ipp map --engines 1 none.so:f ::: 1
	[ "$status" = 1 ]
	[[ $stderr == "ipp-run: item 0 on engine "?" of $host: cannot load the module "*"/modules/none.so: cannot open shared object file: No such file or directory; one of your own is given by its path, with a /" ]]
}

@test "what a module lacks is told in one sentence, for each task that wanted it" {
	modules=$programs/tests/modules
	ipp map --engines 1 "$modules/sample.so:no_such" ::: 1
	show
	[ "$status" = 1 ]
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: the module $modules/sample.so has no function 'no_such'" ]
	ipp map --engines 1 "$modules/other_version.so:square" ::: 1
	[ "$status" = 1 ]
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: the module $modules/other_version.so was built for version 2 of ipp/module.h, this is version 1: build it again" ]
	ipp map --engines 1 "$modules/no_module.so:square" ::: 1
	[ "$status" = 1 ]
	[ "$stderr" = "ipp-run: item 0 on engine 0 of $host: $modules/no_module.so is no slurm-ipp module: it lacks IPP_MODULE (ipp/module.h)" ]
}

@test "a module that is not there or no shared object is told before anything is started" {
	refused "cannot read the module ./none.so: No such file or directory" map ./none.so:f ::: 1
	refused "cannot read the module ./none.so: No such file or directory" apply ./none.so:f
	echo text >text.so
	refused "text.so is no shared object: build it with cc -shared -fPIC" map ./text.so:f ::: 1
	mkdir folder.so
	refused "folder.so is no shared object" map ./folder.so:f ::: 1
	mkfifo pipe.so
	refused "pipe.so is no shared object" map ./pipe.so:f ::: 1
}

@test "a function that returns nothing prints nothing, and map says so" {
	ipp map --engines 1 "$programs/tests/modules/sample.so:nothing" ::: 1 2 3
	show
	[ "$status" = 0 ]
	[ "$output" = "" ]
	[ "$stderr" = "ipp-run map: $programs/tests/modules/sample.so:nothing returned nothing for 3 of 3 items, and nothing was printed for them: a result is what a function gives to ipp_return()" ]
	ipp apply --engines 1 "$programs/tests/modules/sample.so:nothing"
	[ "$status" = 0 ]
	[ "$output$stderr" = "" ]
}

@test "a module is read again when it was built again" {
	start 1
	cp "$programs/tests/modules/other_version.so" mine.so
	ipp map ./mine.so:square ::: 2
	[ "$status" = 1 ]
	cp --remove-destination "$programs/tests/modules/sample.so" mine.so
	ipp map ./mine.so:square 2:3
	show
	[ "$output" = 4 ]
	ipp-run stop
}

@test "a module that crashes as it is loaded costs its tasks, and the engines go on" {
	IPP_TEST_CRASH=load ipp map --engines 2 -k "$programs/tests/modules/fragile.so:nothing" ::: $(seq 8)
	show
	[ "$status" = 8 ]
	[[ ${stderr_lines[7]} == "ipp-run: item 7 on engine "?" of $host: it ended its worker with exit code 7" ]]
}

@test "a module that crashes as it is unloaded costs nothing" {
	IPP_TEST_CRASH=unload start 1
	for _ in 1 2 3 4 5 6 7 8; do
		ipp map "$programs/tests/modules/fragile.so:nothing" ::: 1
		[ "$status" = 0 ]
	done
	ipp-run stop
}

@test "a text too long for a result is the task's failure" {
	ipp map --engines 1 "$programs/tests/modules/sample.so:long_text" ::: 1
	show
	[ "$status" = 1 ]
	[[ $stderr == "ipp-run: item 0 on engine "?" of $host: its result is a text of 20971520 bytes"*"make it an array"* ]]
}

@test "a worker killed by its own task is reported, and the rest goes on" {
	ipp map --engines 2 -k -- sh -c '[ $1 != 3 ] || { kill -9 $PPID; sleep 1000; }; echo $1' sh ::: 1 2 3 4 5 6
	show
	[ "$status" = 1 ]
	[ "$output" = $'1\n2\n4\n5\n6' ]
	[[ $stderr == "ipp-run: item 2 on engine "?" of $host: its worker was killed by signal 9 (Killed)" ]]
}

@test "what a task leaves running is killed with it" {
	ipp map --engines 1 -- sh -c 'setsid sleep 1000 & sleep 1000 & echo done' ::: 1
	[ "$output" = "done" ]
	wait_until 5 none_left
}

@test "on a terminal without items map says so instead of waiting" {
	run script -qec "ipp-run map -- echo" /dev/null
	[ "$status" = 125 ]
	[[ $output == *"there are no items"* ]]
}

@test "output that cannot be written is an error" {
	run --separate-stderr sh -c 'ipp-run map --engines 1 -- echo ::: 1 >/dev/full'
	[ "$status" = 125 ]
	[[ $stderr == *"No space left on device"* ]]
}
