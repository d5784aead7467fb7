#!/usr/bin/env bats
# What ipp-run finds when it is started: descriptors that are closed or full, no home, no PATH, a
# folder that is gone, limits.

# shellcheck disable=SC2030,SC2031        # each test is a subshell of its own
load helper

sample=$programs/tests/modules/sample.so

# refuses_to_print WHERE ARGS...: ipp-run says in one sentence that it cannot print there
refuses_to_print()
{
	run --separate-stderr bash -c "ipp-run ${*:2} $1"
	show
	[ "$status" = 125 ]
	[ "$output" = "" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "ipp-run"*": cannot be written: "* || $stderr == "ipp-run: standard output cannot be written: "* ]]
}

@test "what cannot be printed is an error of each verb that prints" {
	start 1
	ipp-run push x=1
	id=$(ipp-run map --async -- echo ::: 1)
	pull=$(ipp-run pull --async x)
	ipp-run wait "$id" "$pull"
	for where in '>/dev/full' '>&-'; do
		for verb in --help --version 'map --help' 'map -- echo ::: 1 2' 'map --json -- echo ::: 1 2' \
			'map --async -- echo ::: 1' 'map --dry-run -- echo ::: 1 2' 'map --dry-run -- echo ::: 0:1000000000000' \
			'apply -- echo' 'apply --json -- echo' "apply $sample:matrix" 'execute pwd' ids status 'status --json' \
			queue history 'history --json' ls 'ls --async' 'pull x' 'push --async x=2' "result $id" "result $pull" \
			'bench --seconds 0.01' 'loo --trees 1 --held-out 0:1 --rows 10'; do
			refuses_to_print "$where" "$verb"
		done
	done
	ipp-run stop
	refuses_to_print '>/dev/full' start -n 1
	ipp-run stop
}

@test "how standard output fails is told of much output, too" {
	for words in 'apply --engines 1 -- seq 20000' "execute --engines 1 'seq 20000'" 'map --engines 1 -- seq ::: 20000'; do
		run --separate-stderr bash -c "ipp-run $words >/dev/full"
		show
		[ "$status" = 125 ]
		[[ $stderr == *"standard output: cannot be written: No space left on device" ]]
	done
}

@test "a standard output that somebody made non-blocking gets all" {
	for words in 'apply --engines 1 -- seq 20000' 'map --engines 1 -- seq ::: 20000'; do
		run -0 python3 - "$words" <<-'END'
		import fcntl, os, subprocess, sys

		end, ours = os.pipe()
		fcntl.fcntl(ours, fcntl.F_SETFL, os.O_NONBLOCK)
		fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
		child = subprocess.Popen(["ipp-run"] + sys.argv[1].split(), stdout=ours)
		os.close(ours)
		got = b"".join(iter(lambda: os.read(end, 65536), b""))
		assert got == b"".join(b"%d\n" % i for i in range(1, 20001)), len(got)
		sys.exit(child.wait())
		END
	done
}

@test "a directory whose name is too long for a command is told" {
	name=$(printf '%0200d' 0)
	for i in $(seq 25); do
		mkdir "$name"
		cd "$name" || return
	done
	refused "the name of this directory, in which commands would run, has more than 4095 bytes: go to another one" apply --engines 1 -- pwd
}

@test "with stdin, stdout or stderr closed nothing takes their place" {
	for closed in '<&-' '2>&-' '<&- 2>&-'; do
		run --separate-stderr bash -c "ipp-run map --engines 2 -- sh -c 'echo \$1; echo err >&2; cat' sh ::: 1 2 $closed"
		show
		[ "$status" = 0 ]
		[ "$output" = $'1\n2' ]
		[[ $closed == *2* ]] || [ "$stderr" = $'err\nerr' ]
	done
	run --separate-stderr bash -c 'ipp-run map --engines 1 -- echo <&-'
	show
	[ "$status" = 125 ]
	[ "$stderr" = "ipp-run: stdin cannot be read: Bad file descriptor" ]
	ipp-run start -n 1 <&- >&- 2>&- || true
	ipp apply -- sh -c 'cat; echo out; echo err >&2'
	show
	[ "$output" = out ]
	[ "$stderr" = err ]
	ipp-run stop
}

@test "in a directory that is gone no command is run in another one" {
	start 1
	echo 'pwd' >"$HOME/script"
	mkdir gone
	cd gone
	rmdir ../gone
	for verb in map 'map --async' apply 'apply --async'; do
		# shellcheck disable=SC2086
		says "this directory, in which commands would run, has no name: No such file or directory" $verb -- pwd </dev/null
	done
	says "this directory, in which commands would run, has no name" execute pwd
	says "this directory, in which commands would run, has no name" run "$HOME/script"
	ipp map "$sample:square" 2:4
	[ "$output" = $'4\n9' ]
	cd
	ipp-run stop
}

@test "without a home a cluster cannot stay, and one's own engines work" {
	for home in '' /nonexistent /dev/null; do
		HOME=$home ipp map --engines 1 -- echo ::: a
		show
		[ "$output" = a ]
		HOME=$home ipp start -n 1
		show
		[ "$status" = 125 ]
		[[ $stderr == *"HOME is not set"* || $stderr == *"cannot make the folder $home/.slurm-ipp: No"* ]]
	done
	wait_until 5 none_left
}

@test "words with control characters do not play with the terminal" {
	refused "cannot read the module ./?[31m?.so: No such file" apply $'./\e[31m\n.so:f'
	refused "?[31m cannot be read" journal $'\e[31m'
	refused "?[31m cannot be read" map -a $'\e[31m' -- echo
	run -127 --separate-stderr ipp-run map --engines 1 -- $'./no\e[31msuch\ncmd' ::: 1
	show
	[[ $stderr == "ipp-run: item 0 on engine 0 of "*": cannot run ./no?[31msuch?cmd: No such file or directory" ]]
}

@test "with few descriptors it works, or says why not" {
	for n in 12 14 16 {20..25} 32; do
		run --separate-stderr bash -c "ulimit -n $n; ipp-run map --engines 2 -- echo ::: a b"
		show
		[ "$status:$output" = $'0:a\nb' ] || {
			[ "$status" = 125 ]
			[ "$output" = "" ]
			[[ $stderr == *"Too many open files"* || $stderr == *"can run nothing: "* ]]
		}
		wait_until 10 none_left
	done
	[ "$status" = 0 ]
}

@test "where files may not grow it says so" {
	start 1
	ipp-run push n=1
	run --separate-stderr bash -c 'ulimit -f 100; ipp-run push A=@'"$data/X.npy"
	show
	[ "$status" = 125 ]
	[ "$stderr" = "slurm-ipp: no memory for 200000 bytes of a file: File too large" ]
	ipp pull n
	[ "$output" = 1 ]
	ipp-run stop
}
