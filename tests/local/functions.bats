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
