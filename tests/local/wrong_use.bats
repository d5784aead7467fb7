#!/usr/bin/env bats
# Each mistake gets one sentence that says what to do, and exit code 125.

load helper

@test "an unknown verb lists the verbs" {
	refused "'bogus' is not a verb: loo, " bogus
	refused "which verb? loo, "
}

@test "an unknown option is named" {
	refused "'--bogus'" loo --bogus
	refused "'--bogus'" map --bogus -- echo
	refused "'-z'" apply -z -- echo
	refused "'--bogus'" start --bogus
	refused "'x'" ids x
	refused "'x'" stop x
	refused "ipp-run forest fit: '--bogus'" forest fit --bogus
	refused "ipp-run forest predict: '-x'" forest predict -x
	refused "'--bogus=3'" cv --folds 3 --bogus=3
	refused "ipp-run rm: '-o' is not an option" rm -o file v
	refused "ipp-run push: '--text' takes no value" push --text=x v=1
}

@test "short options that are none are named as they were typed" {
	refused "'-engines'" loo -engines 1
	refused "'-engines'" loo --json -engines 1
	refused "'-json'" cv --trees 3 -json
	refused "'-engines'" apply --targets 0 -engines 1 -- echo
	refused "'-z'" map -k -z -- echo
	refused "'-ofile'" loo --json -ofile
}

@test "an option that lacks its value, or has one too many, is named" {
	refused "'--trees' needs a value" loo --json --trees
	refused "'--json' takes no value" loo --json=3
	refused "'--keep-going' takes no value" map --keep-going=1 -- echo
}

@test "options that would do nothing are refused" {
	refused "ipp-run loo: --rows is the size of the tutorial's data" loo --x "$data/X.npy" --y "$data/Y.npy" --rows 10
	refused "ipp-run cv: --rows" cv --csv some.csv --target y --rows 10
	refused "--full-trees is for --estimator loo" loo --estimator oob --full-trees
	for option in '--trees 3' '--seed 1' '--mtry 1' '--min-leaf 2' '--min-split 3' '--max-depth 4' \
		'--fraction 0.5' --no-replace --importance --json '--rows 9'; do
		# shellcheck disable=SC2086
		refused "${option%% *} is an option of fit" forest predict --model m --csv some.csv $option
	done
	refused "leave one out" forest predict --model m --csv some.csv --x "$data/X.npy"
	refused "leave one out" forest predict --model m --csv some.csv --y "$data/Y.npy"
	refused "--target is a column of --csv" forest predict --model m --x "$data/X.npy" --target y
	refused "by --csv or --x" forest predict --model m --y "$data/Y.npy"
	refused "--model is for predict" forest fit --model m
}

@test "what a verb was told wrongly names the verb" {
	refused "ipp-run loo: --trees x: give" loo --trees x
	refused "ipp-run cv: --x and --y go together" cv --x "$data/X.npy"
	refused "ipp-run loo: none.csv: cannot be read" loo --csv none.csv --target y
	refused "ipp-run loo: --plot a.pdf: " loo --plot a.pdf
	refused "ipp-run loo: --held-out: " loo --held-out 600
}

@test "numbers out of range are refused with the range" {
	refused "--engines 0: give a whole number from 1 to 4096" loo --engines 0
	refused "--engines -1: give a whole number" map --engines -1 -- echo
	refused "--engines x: give a whole number" apply --engines x -- echo
	refused "--engines 5000: give a whole number" start -n 5000
	refused "--trees 0: give a whole number from 1" loo --trees 0
	refused "--rows 1x: give a whole number" loo --rows 1x
	refused "--mtry 51 is more than" loo --mtry 51
	for fraction in 0 -1 1.01 nan x ''; do
		refused "--fraction $fraction: give a number above 0 and not above 1" loo --fraction "$fraction"
	done
}

@test "rows to hold out that are not there are refused" {
	refused "--held-out" loo --held-out 600
	refused "--held-out" loo --held-out 9-3
	refused "--held-out" loo --held-out ''
}

@test "data options that do not go together are refused" {
	refused "--x and --y go together" loo --x "$data/X.npy"
	refused "--csv and --target go together" loo --csv some.csv
	refused "leave one out" loo --x "$data/X.npy" --y "$data/Y.npy" --csv some.csv --target y
}

@test "a file that cannot be read is named" {
	refused "none.npy: cannot be read: No such file or directory" loo --x none.npy --y "$data/Y.npy"
	refused "none.csv: cannot be read: No such file or directory" loo --csv none.csv --target y
	mkdir folder
	refused "folder" loo --csv folder --target y
}

@test "a .npy file that is none, cut short or of another shape is named" {
	echo hello >no.npy
	refused "no.npy" loo --x no.npy --y "$data/Y.npy"
	head -c 5000 "$data/X.npy" >short.npy
	refused "short.npy" loo --x short.npy --y "$data/Y.npy"
	refused "has shape (500,)" loo --x "$data/Y.npy" --y "$data/Y.npy"
	refused "has shape (500, 50)" loo --x "$data/X.npy" --y "$data/X.npy"
}

@test "a CSV file's fault is named with its line" {
	printf 'a,b\n1,2\n3\n' >ragged.csv
	refused "ragged.csv:3: has 1 of the header's 2 columns" loo --csv ragged.csv --target b
	printf 'a,b\n1,nan\n3,4\n' >nan.csv
	refused "nan.csv:2: column 2 (b): 'nan' is not a finite number" loo --csv nan.csv --target b
	printf 'a,b\n1,x\n3,4\n' >text.csv
	refused "text.csv:2: column 2 (b): 'x'" loo --csv text.csv --target b
	refused "text.csv: has no column 'z'" loo --csv text.csv --target z
	: >empty.csv
	refused "empty.csv" loo --csv empty.csv --target b
}

@test "a .npy file with a NaN is refused with its place" {
	python3 - >nan.npy <<-'END'
		import struct, sys
		header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }".ljust(117) + "\n"
		sys.stdout.buffer.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode() +
		                        struct.pack("<6d", 1, 2, 3, float("nan"), 5, 6))
	END
	refused "nan.npy" loo --x nan.npy --y nan.npy
	ipp loo --x nan.npy --y nan.npy
	[[ $stderr == *[Nn]a[Nn]* || $stderr == *finite* ]]
}

@test "an output that cannot be written is found out before any work" {
	refused "/none/out.csv" loo --out /none/out.csv
}

@test "a command needs -- in front, and a function its module" {
	refused "a command stands behind --: ipp-run map -- ls" map ls
	refused "a command stands behind --: ipp-run apply -- ls" apply ls
	refused "there is nothing to run" map
	refused "there is nothing to run" apply --
	refused "takes no items behind :::" apply -- echo ::: a
}

@test "GNU parallel's :::: and :::+ are no words, and what to write is told" {
	for words in '-- echo' "$programs/tests/modules/sample.so:last_byte"; do
		# shellcheck disable=SC2086 # words are words
		{
			refused "not read from files behind ::::, but with -a FILE" map $words :::: file
			refused "not read from files behind ::::, but with -a FILE" map $words ::: a :::: file
			refused "not linked by :::+: each further ::: gives all combinations" map $words ::: a b :::+ c d
			refused "not linked by ::::+: each further ::: gives all" map $words ::: a b ::::+ file
		}
	done
	ipp map --engines 1 -- echo ::: :: ::::: a:::+
	[ "$output" = $'::\n:::::\na:::+' ]
}

@test "an engine that is not there is named" {
	refused "there is no engine 7" apply --engines 2 --targets 7 -- echo
	refused "--targets" apply --engines 2 --targets x -- echo
}

@test "engines of its own are refused where the job has some, and only there" {
	ipp-run start -n 1 >/dev/null
	file=$(echo "$HOME"/.slurm-ipp/*.json)
	IPP_CONNECT=file:$file ipp apply --engines 1 -- true
	[ "$status" = 125 ]
	[[ $stderr == *"this job has engines already"* ]]
	SLURM_JOB_ID=77 SLURMD_NODENAME=here IPP_CONNECT=file:$file ipp apply --engines 1 -- echo mine
	[ "$output" = mine ] # IPP_CONNECT is of another job
	ipp-run stop
}

@test "a controller of another user or version is named, not taken for one that has ended" {
	cat >listener.py <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.bind("\0slurm-ipp/local/fake")
		s.listen()
		print("up", flush=True)
		c, _ = s.accept()
		c.sendall(b"IPP\n" + bytes([77, 0, 2, 0]) + bytes(16))
		c.recv(1000)
	END
	python3 listener.py >up 3>&- &
	wait_until 5 [ -s up ]
	IPP_CONNECT=unix:@slurm-ipp/local/fake refused "version 77, this program version 1" ids
	wait
}

@test "a shell of salloc's, off the job's nodes, is told what to type" {
	SLURM_JOB_ID=77 refused "is on none of its nodes: type srun --ipp-engines" loo
}

@test "an IPP_CONNECT that makes no sense says what it must be" {
	IPP_CONNECT=nonsense refused "it must be unix:@NAME or file:PATH" ids
	IPP_CONNECT=unix:@slurm-ipp/local/none refused "no controller answers at unix:@slurm-ipp/local/none" ids
	IPP_CONNECT=file:/none refused "/none" ids
}

@test "without a cluster ids and stop say how to start one" {
	refused "ipp-run start" ids
	refused "ipp-run start" stop
}

@test "several tasks of a step without engines do not start a cluster each" {
	SLURM_STEP_NUM_TASKS=4 refused "srun -n4 --ipp-engines" loo
}

@test "help goes to stdout" {
	for verb in loo map apply ids start stop; do
		ipp "$verb" --help
		[ "$status" = 0 ]
		[[ $output == "usage: ipp-run $verb"* ]]
		[ "$stderr" = "" ]
	done
	ipp --version
	[[ $output == "ipp-run (slurm-ipp) "* ]]
}

@test "--help behind a word that is no option's is an item, or the script's" {
	printf '#!/bin/sh\necho "got $1"\n' >script
	ipp run --engines 1 script --help
	[ "$output" = "got --help" ]
	ipp map --engines 1 "$programs/tests/modules/sample.so:say" text=it ::: --help
	[ "$output" = "it--help" ]
	for words in 'map --engines 2 --help' 'forest fit --help' 'forest --help' 'loo --json --trees 3 --help'; do
		# shellcheck disable=SC2086
		ipp $words
		[ "$status" = 0 ]
		[[ $output == "usage: ipp-run ${words%% *}"* ]]
	done
}

@test "a pipe where a file is wanted is not waited for" {
	mkfifo pipe pipe.npy
	refused "pipe is no script: it is empty, or no regular file" run pipe
	refused "pipe: is no regular file" apply --engines 1 "$programs/tests/modules/sample.so:say" text=@pipe
	refused "pipe.npy: is no regular file" map --engines 1 "$programs/tests/modules/sample.so:itself" @pipe.npy
	ipp-run start -n 1
	for verb in push scatter; do
		ipp $verb v=@pipe
		[ "$status" = 125 ]
		[[ $stderr == "ipp-run $verb: pipe: is no regular file: copy what it gives into one" ]]
		says "/proc/self/status: does not say how large it is: copy it, and give the copy" $verb v=@/proc/self/status
	done
	ipp-run stop
}
