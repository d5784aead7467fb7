#!/usr/bin/env bats
# What functions of modules are given from the command line.

load helper
sample=$programs/tests/modules/sample.so

@test "apply prints arrays, and with --json an object for each engine" {
	ipp apply --engines 1 "$sample:matrix"
	[ "$output" = "array <f8 (2, 3), 48 bytes: [[1, 2, 3], [4, 5, 6]]" ]
	# shellcheck disable=SC2016
	ipp apply --engines 2 --json -- sh -c 'echo $IPP_ENGINE; exit $IPP_ENGINE'
	show
	[ "$status" = 1 ]
	[ "$stderr" = "" ]
	[ "$(jq -c '[.engine, .host, .exit, .outcome, .stdout, has("item")]' <<<"$output")" = \
		'[0,"'"$host"'",0,"ok","0\n",false]'$'\n''[1,"'"$host"'",1,"exited","1\n",false]' ]
	ipp execute --engines 1 --json pwd
	[ "$(jq -r .stdout <<<"$output")" = "$PWD" ]
	refused "apply: --async leaves before there are results, so that --json makes no sense" apply --async --json -- true
}

@test "apply and map give a function its arguments" {
	ipp apply --engines 2 "$sample:say" text=hello
	show
	[ "$output" = $'hello\nhello' ]
	ipp map --engines 2 "$sample:say" text=it- ::: a 'b=c'
	[ "$output" = $'it-a\nit-b=c' ]
	ipp map --engines 1 "$sample:say" 'text=a {} = b' 0:1
	[ "$output" = "a {} = b" ]
}

@test "an argument is a number, a text, or the array of a file, as push reads it" {
	ipp map --engines 1 "$sample:weigh" u=@"$data/X.npy" v=@"$data/X.npy" 1:2
	show
	[[ $output =~ ^-?[0-9]+\.[0-9]+$ ]]
	# the digits of a number, for who wants a text
	ipp apply --engines 1 "$sample:say" text=12
	[ "$output" = 12 ]
	ipp apply --engines 1 "$sample:say" text=-2.50
	[ "$output" = -2.5 ]
	ipp apply --engines 1 "$sample:say" text=
	[ "$output" = "" ]
	[ "$status" = 0 ]
}

@test "arguments stand before a range or behind it" {
	ipp map --engines 1 "$sample:weigh" 1:3 u=@"$data/X.npy" v=@"$data/Y.npy"
	first=$output
	ipp map --engines 1 "$sample:weigh" u=@"$data/X.npy" 1:3 v=@"$data/Y.npy"
	show
	[ "$status" = 0 ]
	[ "$output" = "$first" ]
	[ "${#lines[@]}" = 2 ]
}

@test "an argument that is missing or of another kind fails the task, and says which" {
	ipp apply --engines 1 "$sample:say" other=1
	show
	[ "$status" = 1 ]
	[[ $stderr == *": the argument text is missing: it is a text, given as text=VALUE" ]]
	ipp apply --engines 1 "$sample:weigh" u=3
	[[ $stderr == *": the argument u must be an array of <f8, and is an integer" ]]
	ipp apply --engines 1 "$sample:weigh" u=@/etc/passwd
	[[ $stderr == *": the argument u must be an array of <f8, and is an array of |u1" ]]
	ipp apply --engines 1 "$sample:weigh"
	[[ $stderr == *": the argument u is missing: it is an array of <f8, given as u=@FILE.npy" ]]
	ipp map --engines 1 "$sample:say" text=@"$data/X.npy" 0:1
	[[ $stderr == *": the argument text must be a text, and is an array of <f8" ]]
}

@test "arguments that make no sense are refused before anything is run" {
	refused "'text' is given twice" apply --engines 1 "$sample:say" text=1 text=2
	refused "'a b' is no name" apply --engines 1 "$sample:say" 'a b=1'
	refused "'word' behind the function is no argument NAME=VALUE" apply --engines 1 "$sample:say" word
	refused "'word' behind the function is no argument NAME=VALUE" map --engines 1 "$sample:say" 0:2 word
	refused "none.npy: No such file or directory" apply --engines 1 "$sample:say" text=@none.npy
	echo no array >bad.npy
	refused "bad.npy" map --engines 1 "$sample:say" text=@bad.npy 0:2
	head -c 2000000 /dev/zero | tr '\0' x >long
	ipp-run start -n 1
	ipp apply "$sample:say" text=@long
	[[ $stderr == *"the argument text must be a text, and is an array of |u1" ]]
	ipp-run stop
}

@test "the job log and --dry-run show them as they are typed" {
	ipp map --engines 1 --joblog log "$sample:say" text='a b' n=3 x=2.5 ::: c
	show
	[ "$output" = "a bc" ]
	[[ $(tail -n 1 log) == *$'\t'"$sample:say 'text=a b' n=3 x=2.5 c" ]]
	ipp map --dry-run "$sample:weigh" u=@w.npy 0:1
	[ "$output" = "$sample:weigh u=@w.npy 0" ]
}

# npy FILE DTYPE SHAPE FORMAT [NUMBER...] [fortran]: write an array, FORMAT being struct.pack's
npy()
{
	python3 - "$@" <<-'END'
		import ast, struct, sys
		path, dtype, shape, form, *numbers = sys.argv[1:]
		order = numbers[-1:] == ["fortran"]
		data = struct.pack(form, *map(ast.literal_eval, numbers[:-1] if order else numbers))
		header = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (dtype, order, shape)
		with open(path, "wb") as file:
		    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118))
		    file.write(header.ljust(117).encode() + b"\n" + data)
	END
}

two_printed() { [ "$(wc -l <printed)" = 2 ]; }

@test "results of short tasks do not wait for the long one behind them" {
	mkfifo gate
	: >short
	ipp-run map --engines 1 --chunk 3 --unordered "$sample:await" ::: short short gate >printed &
	wait_until 20 two_printed
	: >gate
	wait $!
	[ "$(cat printed)" = $'short\nshort\ngate' ]
}

@test "what is said beside empty arrays is told apart" {
	ipp map --engines 1 --chunk 4 --json "$sample:say_empty" ::: a bc def g
	show
	[ "$(jq -s -c 'map(.stdout)' <<<"$output")" = '["a","bc","def","g"]' ]
}

@test "tasks that ended before one that kills its worker are not run again" {
	ipp map --engines 1 --chunk 4 -k "$sample:note_and_crash" ::: 0 1 2 3 4
	show
	[ "$status" = 1 ]
	[ "$output" = $'0\n1\n2\n4' ]
	[ "$(sort ran | uniq -c | tr -s ' ')" = $' 1 0\n 1 1\n 1 2\n 1 3\n 1 4' ]
}

@test "map over the rows of an array: numbers of one axis, arrays of more" {
	npy ints.npy '<i8' '(3,)' '<3q' 3 -4 9007199254740993
	npy a=b.npy '<f8' '(2,)' '<2d' 2.5 -1e300
	npy table.npy '<f8' '(3, 2)' '<6d' 1 2 3 4 5 6
	npy none.npy '<f8' '(0, 2)' '<'
	ipp-run start -n 2
	ipp map "$sample:itself" @ints.npy
	show
	[ "$output" = $'3\n-4\n9007199254740993' ]
	ipp map "$sample:say" text=n @ints.npy
	[ "$output" = $'n\nn\nn' ]
	ipp map "$sample:itself" @a=b.npy
	[ "$output" = $'2.5\n-1e+300' ]
	ipp map "$sample:itself" @table.npy
	[ "${lines[2]}" = "array <f8 (2,), 16 bytes: [5, 6]" ]
	ipp map "$sample:itself" @none.npy
	show
	[ "$status" = 0 ]
	[ "$output$stderr" = "" ]
	# the whole of it is an argument
	ipp map "$sample:weigh" u=@table.npy v=@table.npy @ints.npy
	[ "${lines[0]}" = 126 ]
	ipp map --json --joblog log "$sample:itself" @table.npy
	[ "$(jq -s -c 'map(.item)' <<<"$output")" = "[0,1,2]" ]
	[[ $(tail -n 1 log) == *$'\t'"$sample:itself @table.npy "[012] ]]
	id=$(ipp-run map --async "$sample:itself" @ints.npy)
	[ "$(ipp-run result "$id")" = $'3\n-4\n9007199254740993' ]
	ipp-run stop
}

@test "an array whose rows cannot be items is refused, and so are other items beside it" {
	npy fortran.npy '<f8' '(3, 2)' '<6d' 1 2 3 4 5 6 fortran
	npy single.npy '<f8' '()' '<d' 1
	npy ints.npy '<i8' '(3,)' '<3q' 3 -4 5
	refused "fortran.npy: is in Fortran order" map --engines 1 "$sample:itself" @fortran.npy
	refused "single.npy: has no rows to be items" map --engines 1 "$sample:itself" @single.npy
	refused "lines of a file are given by -a FILE" map --engines 1 "$sample:itself" @lines
	refused "none.npy: No such file or directory" map --engines 1 "$sample:itself" @none.npy
	refused "the rows of @ints.npy are the items" map "$sample:itself" @ints.npy ::: 1
	refused "the rows of @ints.npy are the items" map -a ints.npy "$sample:itself" @ints.npy
	refused "'@ints.npy' behind the function is no argument" map "$sample:itself" 0:2 @ints.npy
	refused "'items' is given twice" map --engines 1 "$sample:itself" items=1 @ints.npy
	refused "'@ints.npy' behind the function is no argument" apply "$sample:itself" @ints.npy
	refused "'@ints.npy' is no function" map @ints.npy -- echo
}

@test "a journal of rows goes on with the same array and with no other" {
	npy rows.npy '<i8' '(3,)' '<3q' 3 -4 5
	ipp map --engines 1 --journal j "$sample:itself" @rows.npy
	[ "$output" = $'3\n-4\n5' ]
	ipp map --engines 1 --journal j --resume "$sample:itself" @rows.npy
	[ "$output" = $'3\n-4\n5' ]
	refused "give --journal another file" map --engines 1 --journal j --resume "$sample:itself" items=@rows.npy 0:3
	npy rows.npy '<i8' '(3,)' '<3q' 3 -4 6
	refused "give --journal another file" map --engines 1 --journal j --resume "$sample:itself" @rows.npy
}
