#!/usr/bin/env bats
# Variables of the engines: push, pull, scatter, gather, ls and rm.

# shellcheck disable=SC2030,SC2031        # each test is a subshell of its own
load helper

sample=$programs/tests/modules/sample.so

@test "what was pushed is pulled: integers, reals, texts and arrays" {
	start 2
	ipp push i=-5 r=2.5e3 t='a b' e= word=nancy A=@"$data/X.npy"
	[ "$status" = 0 ]
	for pair in i:-5 r:2500 t:'a b' e: word:nancy; do
		run -0 ipp-run pull --targets 1 "${pair%%:*}"
		[ "$output" = "${pair#*:}" ]
	done
	run -0 ipp-run pull --targets 1 A
	[[ $output == "array <f8 (500, 50), 200000 bytes: [["*"], ..., ["*"]]" ]]
	run -0 ipp-run push --text i=7 t=@x
	run -0 ipp-run ls --targets 0
	show
	[ "${lines[2]}" = "0 i 7" ]
	[ "${lines[4]}" = "0 t @x" ]
	ipp-run stop
}

@test "numbers are decimal, and one that no integer or real can be is refused" {
	start 1
	run -0 ipp-run push a=0x10 b=1e3 c=-9223372036854775808 d=-inf
	for pair in a:0x10 b:1000 c:-9223372036854775808 d:-inf; do
		run -0 ipp-run pull "${pair%%:*}"
		[ "$output" = "${pair#*:}" ]
	done
	says "ipp-run push: i=9223372036854775808 is beyond the 64 bits of an integer" push i=9223372036854775808
	says "ipp-run push: r=-1e999 is beyond the largest real" push r=-1e999
	ipp-run stop
}

@test "pull -o writes .npy files as np.save does, and other files as the bytes are" {
	start 3
	head -c 300000 /dev/urandom >bytes
	: >empty
	run -0 ipp-run push A=@"$data/X.npy" b=@bytes none=@empty n=7 t=text
	run -0 ipp-run pull -o A.npy A
	for rank in 0 1 2; do
		cmp "A.$rank.npy" "$data/X.npy"
	done
	run -0 ipp-run pull --targets 1 -o B.npy A
	cmp B.npy "$data/X.npy"
	run -0 ipp-run pull --targets 2 -o got b
	cmp got bytes
	run -0 ipp-run pull --targets 2 -o got none
	[ ! -s got ]
	run -0 ipp-run pull --targets 2 -o got t
	[ "$(cat got)" = text ]
	run -0 ipp-run pull --targets 0 -o n.npy n
	[ "$(od -An -td8 -j128 n.npy | tr -d ' ')" = 7 ]
	ipp-run stop
}

@test "scatter and gather keep every dtype, order and shape" {
	tar xf "$data/arrays.tar.xz"
	start 3
	for file in arrays/*.npy; do
		name=$(basename "$file" .npy)
		run -0 ipp-run scatter "$name=@$file"
		run -0 ipp-run gather -o got.npy "$name"
		cmp got.npy "$file"
	done
	for file in arrays/*.npy single/*.npy; do
		run -0 ipp-run push "v=@$file"
		run -0 ipp-run pull --targets 1 -o got.npy v
		cmp got.npy "$file"
	done
	ipp-run stop
}

@test "shares are those of np.array_split, in the order of the targets" {
	start 4
	printf 'abcdefghij' >letters
	run -0 ipp-run scatter --targets 0-2 v=@letters
	for share in 0:abcd 1:efg 2:hij; do
		run -0 ipp-run pull --targets "${share%:*}" -o got v
		[ "$(cat got)" = "${share#*:}" ]
	done
	run -0 ipp-run gather --targets 1,2 -o got v
	[ "$(cat got)" = efghij ]
	run -0 ipp-run ls --targets 3
	[ "$output" = "" ]
	ipp-run stop
}

@test "the numbers of small arrays are printed, whole or put together" {
	tar xf "$data/arrays.tar.xz"
	start 2
	run -0 ipp-run scatter v=@arrays/vector.npy
	run -0 ipp-run pull v
	show
	[ "$output" = $'array <f8 (5,), 40 bytes: [0, 1, 2, 3, 4]\narray <f8 (5,), 40 bytes: [5, 6, 7, 8, 9]' ]
	run -0 ipp-run gather v
	[ "$output" = "array <f8 (10,), 80 bytes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" ]
	run -0 ipp-run result "$(ipp-run gather --async v)"
	[ "$output" = "array <f8 (10,), 80 bytes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" ]
	run -0 ipp-run ls --targets 0
	[ "${lines[0]}" = "0 v array <f8 (5,), 40 bytes" ]
	run -0 ipp-run scatter F=@arrays/large_fortran.npy
	run -0 ipp-run gather F
	[ "$output" = "array <f8 (300, 200), 480000 bytes, Fortran order" ]
	run -0 ipp-run push r=0.1
	run -0 ipp-run pull --targets 0 r
	[ "$output" = 0.1 ]
	ipp-run stop
}

@test "what functions store is gathered, and outlives their worker" {
	start 3
	run -0 ipp-run scatter v=@"$data/Y.npy"
	run -0 ipp-run apply "$sample:double_it"
	run ! ipp-run apply --targets 1 "$sample:leave"
	run -0 ipp-run apply "$sample:count_w"
	[ "$output" = $'167\n167\n166' ]
	run -0 ipp-run gather -o w.npy w
	python3 - "$data/Y.npy" w.npy <<-'END'
		import struct, sys
		def read(path):
		    data = open(path, "rb").read()[128:]
		    return struct.unpack("<%dd" % (len(data) // 8), data)
		assert [2 * y for y in read(sys.argv[1])] == list(read(sys.argv[2]))
	END
	ipp-run stop
}

@test "what a function stored goes with its engine, and no older value takes its place" {
	start 2
	run -0 ipp-run push v=@"$data/Y.npy" w=1
	run -0 ipp-run apply --targets 0 "$sample:double_it"
	while_away 0 ipp-run ls
	[ "$(cut -d ' ' -f 1-2 said)" = $'0 v\n1 v\n1 w' ]
	says "engine 0 has no variable 'w'" pull w
	run -0 ipp-run push w=2
	while_away 0 ipp-run pull w
	[ "$(cat said)" = $'2\n2' ]
	ipp-run stop
}

@test "a pull waits for the tasks that its engine was given before" {
	start 1
	mkfifo gate
	ipp-run push w=0
	ipp-run apply "$sample:store_after_gate" &
	wait_until 10 some_waits_at_gate
	ipp-run pull w >pulled &
	wait_until 10 pull_is_queued
	[ ! -s pulled ]
	echo >gate
	wait
	[ "$(cat pulled)" = 42 ]
	ipp-run stop
}

some_waits_at_gate() { [ -e waiting ]; }
pull_is_queued() { ipp-run status | grep -q ' 2 '; }

@test "ls has one line a variable, whatever is in a text" {
	start 1
	long=$(printf 'a%.0s' {1..58})€uro
	ipp-run push --text a=$'two\nlines\tand \\n\e[1m' b="$long" c="x$long" d="${long%uro}" e='äöü'
	run -0 ipp-run ls
	show
	[ "${#lines[@]}" = 5 ]
	[ "${lines[0]}" = '0 a two\nlines\tand \\n\x1b[1m' ]
	[ "${lines[1]}" = "0 b ${long%€uro}" ]
	[ "${lines[2]}" = "0 c x${long%€uro}" ]
	[ "${lines[3]}" = "0 d ${long%€uro}" ]
	[ "${lines[4]}" = '0 e äöü' ]
	run -0 ipp-run pull a
	[ "$output" = $'two\nlines\tand \\n\e[1m' ]
	ipp-run stop
}

@test "rm removes, for functions too" {
	start 2
	ipp-run push v=1 w=2
	run -0 ipp-run rm --targets 1 v
	run -0 ipp-run ls
	[ "$output" = $'0 v 1\n0 w 2\n1 w 2' ]
	run -0 ipp-run apply "$sample:has_v"
	[ "$output" = $'1\n0' ]
	run -0 ipp-run rm w
	run -0 ipp-run ls --targets 1
	[ "$output" = "" ]
	ipp-run stop
}

@test "one copy of what is pushed, however many engines" {
	start 8
	head -c 50000000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/large"
	before=$(shmem_kb)
	ipp-run push v=@"$BATS_TEST_TMPDIR/large"
	grown=$(($(shmem_kb) - before))
	echo "grown by $grown KiB"
	((grown < 80000)) # one copy is 48829
	ipp-run stop
}

@test "pull and gather of many engines take the memory of one value" {
	start 8
	head -c 20000000 /dev/zero >bytes
	ipp-run push v=@bytes
	for verb in pull gather; do
		peak=$(peak_kb ipp-run $verb -o got v)
		echo "$verb: $peak kB"
		((peak < 90000)) # of 156250
	done
	[ "$(wc -c <got)" = 160000000 ]
	cmp got.7 bytes
	ipp-run stop
}

# peak_kb COMMAND...: the most memory that it had
peak_kb()
{
	python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}

shmem_kb() { awk '$1 == "Shmem:" { print $2 }' /proc/meminfo; }

@test "all engines are also those that are being started again" {
	start 2
	printf 'abcdefgh' >letters
	run -0 ipp-run scatter v=@letters
	run -0 ipp-run push x=1 y=1
	while_away 1 ipp-run gather -o got v
	[ "$(cat got)" = abcdefgh ]
	while_away 1 ipp-run push x=2
	while_away 0 ipp-run rm y
	while_away 1 ipp-run apply -- echo here
	[ "$(cat said)" = $'here\nhere' ]
	while_away 1 ipp-run ls --targets 0,1
	[ "$(grep -v v said)" = $'0 x 2\n1 x 2' ]
	ipp-run stop
}

# while_away RANK COMMAND...: run that while its guard may not start the engine again; its stdout is
# in the file said
while_away()
{
	local pid guard
	pid=$(ipp-run ids | sed -n "s/.*pid=\([0-9]*\) rank=$1\$/\1/p")
	guard=$(parent "$pid")
	shift
	kill -STOP "$guard"
	kill -9 "$pid"
	wait_until 5 gone "$pid"
	"$@" >said &
	wait_until 5 client_waits
	kill -CONT "$guard"
	wait $!
}

# Without a wait it has ended.
client_waits()
{
	case $(ps -o stat= -p $!) in
	S* | '' | Z*) ;;
	*) return 1 ;;
	esac
}

n_engines() { [ "$(ipp-run ids | wc -l)" = "$1" ]; }

@test "all engines are those that there are, when one in their midst has left for good" {
	start 3
	kill -9 "$(parent "$(ipp-run ids | sed -n 's/.*pid=\([0-9]*\) rank=1$/\1/p')")"
	wait_until 10 n_engines 2
	run -0 ipp-run push --targets all x=1
	run -0 ipp-run ls --targets all
	[ "$output" = $'0 x 1\n2 x 1' ]
	says "--targets 0:3: there is no engine 1" push --targets 0:3 x=1
	ipp-run stop
}

# ---- wrong use -------------------------------------------------------------------------------

@test "pull, gather and rm of what is not there name the engines that lack it" {
	start 4
	ipp-run push --targets 0,2 v=1
	for verb in pull gather rm; do
		says "engines 1 and 3 have no variable 'v'" "$verb" v
		says "engine 3 has no variable 'v'" "$verb" --targets 3 v
		ipp-run push --targets 0,2 v=1
	done
	says "ipp-run ls shows what there is" pull nothing
	ipp-run stop
}

@test "a function that stores under a name that is none fails with the reason" {
	ipp apply --engines 1 "$sample:store_badly"
	show
	[ "$status" = 1 ]
	[[ $stderr == *"'w w' is no name for a variable"* ]]
}

@test "scatter refuses what it cannot cut" {
	start 3
	tar xf "$data/arrays.tar.xz"
	printf 'ab' >two
	printf 'no array' >false.npy
	says "two: has 2 rows, too few for 3 engines" scatter v=@two
	says "there is no first axis to scatter along; push it" scatter v=@single/zero_d.npy
	says "false.npy: is not a .npy file" scatter v=@false.npy
	says "nowhere.npy: No such file" scatter v=@nowhere.npy
	says ".: is no regular file" scatter v=@.
	says "scatter what? say NAME=@FILE.npy" scatter v=5
	ipp-run stop
}

@test "gather refuses parts that do not fit" {
	start 3
	tar xf "$data/arrays.tar.xz"
	ipp-run push A=@"$data/X.npy" n=5 z=@single/zero_d.npy
	ipp-run push --targets 1 A=@"$data/Y.npy"
	says "the parts of 'A' do not fit: engine 0 has dtype <f8, shape (500, 50), engine 1 dtype" gather A
	says "'n' of engine 0: is a single value, not an array" gather n
	says "there is no first axis to join along" gather z
	ipp-run stop
}

@test "a part that changes while it is gathered is found out" {
	start 2
	tar xf "$data/arrays.tar.xz"
	run -0 ipp-run scatter v=@arrays/vector.npy
	engine=$(ipp-run ids | sed -n 's/^0 .*pid=\([0-9]*\) .*/\1/p')
	kill -STOP "$engine"
	ipp-run gather -o whole.npy v 2>said &
	gathering=$!
	wait_until 30 list_is_queued
	kill -STOP $gathering
	kill -CONT "$engine"
	ipp-run push --targets 0 v=@"$data/X.npy" # behind the list that the other one waits for
	kill -CONT $gathering
	status=0
	wait $gathering || status=$?
	cat said
	[ "$status" = 125 ]
	[ "$(cat said)" = "ipp-run gather: 'v' of engine 0 was changed while it was gathered: gather it again" ]
	[ ! -e whole.npy ]
	ipp-run stop
}
list_is_queued() { ipp-run queue --json | jq -e 'select(.label | startswith("ls"))' >/dev/null; }

@test "names, values and targets that are none are refused" {
	start 2
	says "'1st' is no name for a variable" push 1st=1
	says "ipp-run push: 'a b' is no name for a variable" push 'a b=1'
	says "'' is no name for a variable" push =1
	says "'x/y' is no name for a variable" pull x/y
	says "'v' has no =: say NAME=VALUE or NAME=@FILE" push v
	says "nowhere: No such file" push v=@nowhere
	says "there is no engine 7" push --targets 7 v=1
	says "say the name of one variable" pull
	says "options such as --targets go before the name" pull v --targets 0
	says "variables live in engines that stay" push --engines 2 v=1
	ipp-run stop
}

@test "where there is no cluster, variables have no place" {
	for verb in 'push v=1' 'pull v' 'scatter v=@x' 'gather v' ls 'rm v'; do
		# shellcheck disable=SC2086     # words
		refused "there is no cluster here" $verb
	done
}

@test "a file that cannot be written is refused, and one that fills the disk is not left behind" {
	[ "$(id -u)" = 0 ] || skip "only root can mount a small disk"
	start 2
	ipp-run push A=@"$data/X.npy"
	says "nowhere/A.npy: cannot be written" pull --targets 0 -o nowhere/A.npy A
	says "nowhere/A.npy: cannot be written" gather -o nowhere/A.npy A
	mkdir small
	for verb in "pull --targets 0" gather; do
		# shellcheck disable=SC2016     # for that shell, whose disk is gone when it ends
		run unshare --mount sh -c 'mount -t tmpfs -o size=64k tmpfs small
			ipp-run '"$verb"' -o small/A.npy A; echo "code $?, left: $(ls small)"'

		[[ ${lines[0]} == "ipp-run "*": small/A.npy: cannot be written: No space left on device" ]]
		[ "${lines[1]}" = "code 125, left: " ]
	done
	run -0 ipp-run push t=text
	says "the value is a text, not an array" pull --targets 0 -o t.npy t
	ipp-run stop
}

@test "push, scatter, pull, gather, ls and rm can be left behind, and give what they would have given" {
	start 3
	run -0 ipp-run push --async A=@"$data/X.npy" n=7
	[[ "$output" =~ ^[0-9]+\.1$'\n'[0-9]+\.2$ ]]
	# shellcheck disable=SC2086
	run -0 ipp-run wait $output
	[ "$output" = "" ]
	id=$(ipp-run scatter --async v=@"$data/Y.npy")
	run -0 ipp-run result "$id"
	[ "$output" = "" ]
	id=$(ipp-run pull --async --targets 2,0 A)
	run -0 ipp-run result -o A.npy "$id"
	cmp A.0.npy "$data/X.npy"
	cmp A.2.npy "$data/X.npy"
	[ ! -e A.1.npy ]
	run -0 ipp-run result "$(ipp-run pull --async n)"
	[ "$output" = $'7\n7\n7' ]
	id=$(ipp-run gather --async v)
	run -0 ipp-run push v=1
	run -0 ipp-run result -o Y.npy "$id"
	cmp Y.npy "$data/Y.npy"
	run -0 ipp-run result --forget "$id"
	[[ $output == "array <f8 (500,), 4000 bytes: ["* ]]
	says "there is no request $id" result "$id"
	run -0 ipp-run ls
	listed=$output
	run -0 ipp-run result "$(ipp-run ls --async)"
	[ "$output" = "$listed" ]
	run -0 ipp-run result "$(ipp-run rm --async --targets 1 n)"
	run -0 ipp-run ls --targets 1
	[[ "$output" != *"1 n "* ]]
	run -0 ipp-run history
	[[ "$output" == *"scatter v"* ]]
	[[ "$output" == *"pull A"* ]]
	ipp-run stop
}

@test "what was left behind and failed says so when it is asked for" {
	start 3
	ipp-run push --targets 1 x=1
	id=$(ipp-run pull --async x)
	says "engines 0 and 2 have no variable 'x'" result "$id"
	run -2 ipp-run wait "$id"
	id=$(ipp-run gather --async x)
	says "engines 0 and 2 have no variable 'x'" result -o x.npy "$id"
	[ ! -e x.npy ]
	says "is a single value, not an array" result "$(ipp-run gather --async --targets 1 x)"
	says "engines 0 and 2 have no variable 'x'" result "$(ipp-run rm --async x)"
	says "No such file" push --async y=@nowhere
	printf ab >ab
	says "too few for 3 engines" scatter --async y=@ab
	says "-o is for ipp-run result" pull --async -o x.npy x
	says "only a pull or a gather" result -o x.npy "$(ipp-run ls --async)"
	ipp-run stop
}

@test "a pull that was left behind waits for its engine's tasks, is cancelled, and keeps its turn" {
	start 2
	mkfifo gate
	ipp-run push w=0
	ipp-run apply --targets 0 "$sample:store_after_gate" &
	wait_until 10 some_waits_at_gate
	id=$(ipp-run pull --async w)
	other=$(ipp-run pull --async w)
	ipp-run push --async w=5
	run -121 ipp-run result --no-wait "$id"
	[[ "$output" == *"is not at its end"* ]]
	run -0 ipp-run cancel "$other"
	says "was cancelled" result "$other"
	echo >gate
	wait
	run -0 ipp-run result "$id"
	[ "${lines[1]}" = 0 ]
	[ "${lines[0]}" != 5 ]
	run -0 ipp-run pull w
	[ "$output" = $'5\n5' ]
	ipp-run stop
}

@test "pull and gather write to standard output, but not to a terminal" {
	start 2
	ipp-run push A=@"$data/X.npy"
	ipp-run pull --targets 1 -o - A | cmp - "$data/X.npy"
	ipp-run scatter v=@"$data/Y.npy"
	ipp-run gather -o - v | cmp - "$data/Y.npy"
	ipp-run result -o - "$(ipp-run gather --async v)" | cmp - "$data/Y.npy"
	says "takes the value of one engine" pull -o - A
	run script -qec "ipp-run gather -o - v" /dev/null
	[[ "$output" == *"standard output is a terminal"* ]]
	[ ! -e - ]
	ipp-run stop
}

@test "results come in the order in which --targets names the engines" {
	start 3
	ipp-run push --targets 0 n=0
	ipp-run push --targets 1 n=1
	ipp-run push --targets 2 n=2
	run -0 ipp-run pull --targets 2,0-1,0 n
	[ "$output" = $'2\n0\n1' ]
	run -0 ipp-run apply --targets 1,0 -- sh -c 'echo $IPP_ENGINE'
	[ "$output" = $'1\n0' ]
	says "there is no engine 7" pull --targets 1,7 n
	printf abcdef >letters
	ipp-run scatter --targets 2,1 v=@letters
	run -0 ipp-run gather --targets 2,1 -o got v
	[ "$(cat got)" = abcdef ]
	run -0 ipp-run pull --targets 2 -o got v
	[ "$(cat got)" = abc ]
	ipp-run stop
}

@test "an ipp-run that is killed while it writes leaves the old file and nothing else" {
	start 1
	mkfifo gate
	ipp-run push w=@"$data/X.npy"
	mkdir out
	echo old >out/w.npy
	ipp-run apply "$sample:store_after_gate" &
	wait_until 10 some_waits_at_gate
	ipp-run gather -o out/w.npy w &
	wait_until 10 writes_without_a_name $!
	kill -9 $!
	[ "$(ls out)" = w.npy ]
	[ "$(cat out/w.npy)" = old ]
	echo >gate
	wait
	ipp-run push w=@"$data/X.npy"
	chmod 640 out/w.npy
	run -0 ipp-run gather -o out/w.npy w
	run -0 ipp-run gather -o out/new.npy w
	cmp out/w.npy out/new.npy
	[ "$(ls out)" = $'new.npy\nw.npy' ]
	[ "$(stat -c %a out/w.npy)" = 640 ]
	ipp-run stop
}
writes_without_a_name() { find "/proc/$1/fd" -lname "*/out/*" -print 2>/dev/null | grep -q .; }
