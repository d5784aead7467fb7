#!/usr/bin/env bats
# ipp-run execute (a shell that each engine keeps) and run (a script that is sent).

load helper

# ---- execute ----

@test "directory, exports, variables and functions last until the next line" {
	start 2
	mkdir sub
	ipp-run execute 'cd sub; export A=exported; b="a variable"; f() { echo "f $1"; }'
	ipp execute 'pwd; sh -c "echo \$A"; echo "$b"; f x'
	show
	[ "$status" = 0 ]
	[ "$output" = "$(for i in 1 2; do printf '%s\nexported\na variable\nf x\n' "$PWD/sub"; done)" ]
	ipp-run stop
}

@test "each engine has a shell of its own" {
	start 3
	ipp-run execute --targets 1 'mine=yes'
	ipp execute 'echo "$IPP_ENGINE ${mine-no}"'
	show
	[ "$output" = $'0 no\n1 yes\n2 no' ]
	ipp-run stop
}

@test "an exit code that is not 0 is a failure of that line alone" {
	start 2
	ipp execute 'echo out; echo err >&2; [ $IPP_ENGINE = 0 ] || (exit 3)'
	show
	[ "$status" = 1 ]
	[ "$output" = $'out\nout' ]
	[[ $stderr == *"ipp-run: engine 1 of $host: 'echo out; echo err >&2; [ \$IPP_ENGINE = 0 ] || (exit 3)' exited with code 3" ]]
	ipp execute 'true'
	[ "$status" = 0 ]
	ipp-run stop
}

@test "a line that does not parse, or names no command, leaves the shell as it was" {
	start 1
	ipp-run execute 'kept=1'
	ipp execute 'if true; then'
	show
	[ "$status" = 1 ]
	[[ $stderr == *"syntax error"* ]]
	ipp execute 'no-such-command'
	[ "$status" = 1 ]
	[[ $stderr == *"not found"*"exited with code 127" ]]
	ipp execute 'echo $kept'
	[ "$output" = 1 ]
	ipp-run stop
}

@test "a quote or here-document without its end fails, if at all, its line alone" {
	start 1
	ipp-run execute 'kept=1; cd /'
	for line in 'echo "x' "echo 'x" 'echo `x' 'echo ${x' 'echo $(x' 'echo $((x' '(' '{'; do
		ipp execute "$line"
		show
		[ "$status" = 1 ]
		[[ $stderr == *"'$line' exited with code "* ]]
		ipp execute 'echo $kept $PWD'
		show
		[ "$output" = '1 /' ]
		[ "$stderr" = '' ]
	done
	ipp execute $'cat <<E\n$kept'
	show
	[ "$output" = 1 ]
	ipp execute 'echo $kept $PWD'
	[ "$output" = '1 /' ]
	ipp-run stop
}

@test "here-documents, quotes and lines without a newline come back as they are" {
	start 1
	ipp execute $'cat <<E\nit\'s $((1 + 1))\nE\nprintf "no newline"'
	show
	[ "$output" = $'it\'s 2\nno newline' ]
	ipp-run execute 'head -c 3 /dev/zero; printf "\377\n"' >got
	printf '\0\0\0\377\n' | cmp - got
	ipp-run stop
}

@test "a line's stdin is empty, not what the shell reads" {
	start 1
	ipp execute 'cat; read x; echo "<$x>"'
	[ "$output" = '<>' ]
	ipp execute 'echo still here'
	[ "$output" = 'still here' ]
	ipp-run stop
}

@test "large outputs on both pipes come back whole" {
	start 1
	ipp-run execute 'head -c 3000000 /dev/zero | tr "\0" o; head -c 3000000 /dev/zero | tr "\0" e >&2; head -c 1000000 /dev/zero | tr "\0" o' >out 2>err
	[ "$(tr -d o <out | wc -c)" = 0 ]
	[ "$(wc -c <out)" = 4000000 ]
	[ "$(wc -c <err)" = 3000000 ]
	ipp-run stop
}

@test "a line of 100 kB is run" {
	start 1
	line=": $(head -c 100000 /dev/zero | tr '\0' x); echo done"
	ipp execute "$line"
	[ "$output" = "done" ]
	ipp-run stop
}

@test "a line that exits its shell is reported, and the next has a new one" {
	start 1
	ipp-run execute 'lost=1'
	ipp execute 'echo last words; exit 5'
	show
	[ "$status" = 1 ]
	[ "$output" = 'last words' ]
	[[ $stderr == *"ended its shell with code 5; the next line gets a new one, without what lines before it had set" ]]
	ipp execute 'echo ">${lost-}<"'
	[ "$output" = '><' ]
	ipp execute 'exit 0'
	[ "$status" = 0 ]
	[[ $stderr == *"'exit 0' ended the engine's shell; the next line gets a new one"* ]]
	ipp execute 'kill -9 $$'
	[ "$status" = 1 ]
	[[ $stderr == *"its shell was killed by signal 9 (Killed) at 'kill -9 \$\$'"* ]]
	ipp execute 'echo new'
	[ "$output" = new ]
	ipp-run stop
}

@test "a shell that ends between two lines is told with the next" {
	start 1
	ipp-run execute 'true'
	shell=$(ours bash)
	kill -9 "$shell"
	wait_until 5 gone "$shell"
	ipp execute 'echo again'
	show
	[ "$status" = 0 ]
	[ "$output" = again ]
	[ "$stderr" = "ipp-run: the engine's shell had ended since the line before; this is a new one" ]
	ipp-run stop
}

@test "what a line leaves in the background lives on, commands between notwithstanding" {
	start 1
	ipp-run execute 'sleep 1000 & (sleep 1001 &)'
	ipp-run apply -- true
	n_run sleep 2
	ipp execute 'kill %1 && wait; echo reaped'
	show
	[[ $output == *reaped ]]
	n_run sleep 1
	ipp-run execute 'exit 0' 2>/dev/null
	wait_until 5 n_run sleep 0
	ipp-run stop
}

@test "a line that writes for ever in the background does not hold up the next" {
	start 1
	ipp-run execute 'yes & echo started' >/dev/null
	ipp-run execute 'kill %1; wait; echo; echo over' >got 2>err
	[ "$(tail -n 1 got)" = over ]
	ipp-run stop
}

@test "a line that runs too long is killed with its shell" {
	start 1
	ipp-run execute 'x=1'
	ipp execute --task-timeout 0.2 'echo begun; sleep 1000'
	show
	[ "$status" = 1 ]
	[ "$output" = begun ]
	[[ $stderr == *"'echo begun; sleep 1000' ran longer than the 0.2 s of --task-timeout, and its shell was killed"* ]]
	none_run_of sleep
	ipp execute 'echo "<${x-}>"'
	[ "$output" = '<>' ]
	ipp-run stop
}

none_run_of() { [ -z "$(ours "$1")" ]; }

@test "Ctrl-C ends a line that hangs, and the engine goes on" {
	start 1
	ipp-run execute 'sleep 1000' &
	wait_until 5 n_run sleep 1
	kill -INT $!
	code=0
	wait $! || code=$?
	[ "$code" = 130 ]
	wait_until 5 none_run_of sleep
	ipp execute 'echo alive'
	[ "$output" = alive ]
	ipp-run stop
}

@test "a worker's death takes its shell along" {
	start 1
	ipp-run execute 'sleep 1000 &'
	# shellcheck disable=SC2016
	run ipp-run apply -- sh -c 'kill -9 $PPID'
	wait_until 5 none_run_of 'sleep|bash'
	ipp execute 'echo new'
	[ "$output" = new ]
	ipp-run stop
}

@test "the first line runs in the client's directory, later ones where the shell is" {
	start 1
	mkdir first second
	cd first
	ipp execute 'pwd'
	[ "$output" = "$PWD" ]
	cd ../second
	ipp execute 'pwd'
	[ "$output" = "${PWD%/second}/first" ]
	ipp-run stop
}

@test "execute says what is wrong with its words" {
	refused "there is no line to run" execute
	refused "the line is empty" execute ''
	refused "give the line as one word, in quotes" execute echo a
	refused "'--frob' is not an option" execute --frob x
	refused "give a number of seconds" execute --task-timeout soon x
	refused "there is no engine 7" execute --engines 1 --targets 7 'echo a'
}

# ---- run ----

@test "a script is run by its #! line, with its arguments, on each target in order" {
	start 3
	printf '#!/bin/bash\necho "$IPP_ENGINE $# <$1> <$2> ${BASH_VERSION:+bash}"\n' >script
	ipp run --targets 0,2 script 'a  b' '{}'
	show
	[ "$status" = 0 ]
	[ "$output" = $'0 2 <a  b> <{}> bash\n2 2 <a  b> <{}> bash' ]
	ipp-run stop
}

@test "a script need be neither executable nor to be seen, and a program is one as well" {
	start 1
	mkdir only-here
	printf '#!/bin/sh\necho seen\n' >only-here/script
	chmod 600 only-here/script
	ipp run only-here/script
	[ "$output" = seen ]
	ipp run /bin/echo a program
	show
	[ "$output" = 'a program' ]
	printf 'echo plain $1\n' >plain
	ipp run plain text
	[ "$output" = 'plain text' ]
	ipp-run stop
}

@test "a large script arrives whole" {
	start 1
	{
		printf '#!/bin/sh\n'
		yes ': some comment that fills the file' | head -n 20000
		printf 'echo end\n'
	} >script
	ipp run script
	show
	[ "$output" = end ]
	ipp-run stop
}

@test "a script's exit code, signal and time-out are reported by its name" {
	start 1
	printf '#!/bin/sh\nexit $1\n' >script
	ipp run script 4
	[ "$status" = 1 ]
	[ "$stderr" = "ipp-run: engine 0 of $host: script exited with code 4" ]
	printf '#!/bin/sh\nkill -TERM $$\n' >script
	ipp run script
	[ "$stderr" = "ipp-run: engine 0 of $host: script was killed by signal 15 (Terminated)" ]
	printf '#!/bin/sh\nsleep 1000\n' >script
	ipp run --task-timeout 0.2 script
	show
	[ "$status" = 1 ]
	[[ $stderr == *"script ran longer than the 0.2 s of --task-timeout and was killed" ]]
	none_run_of sleep
	ipp-run stop
}

@test "a #! line that names nothing is 127 and says so" {
	printf '#!/no/such/interpreter -x\n' >script
	run -127 --separate-stderr ipp-run run --engines 1 script
	show
	[ "$stderr" = "ipp-run: engine 0 of $host: cannot run script: its #! line names /no/such/interpreter, which is not on this node" ]
}

@test "run says what is wrong with its words before anything is started" {
	refused "which script?" run
	refused "cannot read the script nowhere: No such file or directory" run nowhere
	: >empty
	refused "empty is no script: it is empty, or no regular file" run empty
	refused "/tmp is no script" run /tmp
}
