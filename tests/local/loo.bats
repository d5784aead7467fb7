#!/usr/bin/env bats
# ipp-run loo on local engines.

load helper

predictions() { jq -c .predictions; }

@test "loo prints the tutorial's report" {
	ipp loo --engines 2
	show
	[ "$status" = 0 ]
	[ "$stderr" = "" ]
	for line in ': 50 of 500 rows, 50 features, 100 trees$' 'mean squared error ' 'correlation ' 'elapsed ' 'in tasks ' 'speed-up ' 'efficiency '; do
		grep -Eq "$line" <<<"$output"
	done
}

@test "--json has exactly the documented keys and 50 predictions" {
	ipp loo --engines 2 --json
	show
	[ "$(jq -r 'keys | join(" ")' <<<"$output")" = \
		"correlation engines estimator held_out mse n p predictions seconds task_seconds trees" ]
	[ "$(jq -c '[.n, .p, .trees, .held_out, .engines, (.predictions | length)]' <<<"$output")" = '[500,50,100,50,2,50]' ]
	jq -e '.mse > 0 and .correlation > 0 and .seconds > 0 and .task_seconds > 0' <<<"$output"
}

@test "--out writes index, truth and prediction" {
	ipp loo --engines 2 --json --out found.csv --held-out 3,7-9
	show
	[ "$(head -1 found.csv)" = index,truth,prediction ]
	[ "$(cut -d, -f1 found.csv | tail -n +2 | tr '\n' ' ')" = "3 7 8 9 " ]
	[ "$(cut -d, -f3 found.csv | tail -n +2 | jq -sc .)" = "$(predictions <<<"$output")" ]
}

@test "--out to where stdout or stderr already goes loses neither" {
	csv_lines=4 # a header and three rows
	for out in /dev/stdout /dev/fd/1 both; do
		ipp-run loo --engines 1 --trees 2 --held-out 0:3 --out $out >both 2>said
		[ "$(grep -c , both)" = $((csv_lines + 1)) ] # and the report's first line
		grep -q 'mean squared error' both
		[ ! -s said ]
	done
	ipp-run loo --engines 1 --trees 2 --held-out 0:3 --out /dev/stderr >report 2>rows
	[ "$(grep -c , rows)" = $csv_lines ]
	grep -q 'mean squared error' report
	ipp-run loo --engines 1 --trees 2 --held-out 0:3 --out /dev/fd/7 >report 7>rows
	[ "$(grep -c , rows)" = $csv_lines ]
	[ "$(ipp-run loo --engines 1 --trees 2 --held-out 0:3 --out /dev/stdout | grep -c ,)" = $((csv_lines + 1)) ]
}

@test "one engine, tree or feature is not several" {
	printf 'a,y\n1,2\n2,3\n3,5\n' >small.csv
	for words in loo 'cv --folds 3' 'forest fit'; do
		# shellcheck disable=SC2086
		ipp $words --csv small.csv --target y --trees 1 --engines 1
		show
		[ "$status" = 0 ]
		grep -Eq '\b1 (feature|tree|engine)\b' <<<"$output"
		run ! grep -E '\b1 [a-z]+s\b' <<<"$output"
	done
	run -0 ipp-run start -n 1
	[ "$output" = "1 engine is ready; ipp-run stop ends it" ]
	run -0 ipp-run stop
}

@test "predictions are the same to the last bit on 1, 2 and 5 engines, and of whole trees" {
	run -0 ipp-run loo --trees 30 --json --engines 1
	expected=$(predictions <<<"$output")
	for options in '--engines 2' '--engines 5' '--engines 2 --full-trees'; do
		# shellcheck disable=SC2086
		run -0 ipp-run loo --trees 30 --json $options
		[ "$(predictions <<<"$output")" = "$expected" ]
	done
	run -0 ipp-run loo --trees 30 --json --seed 1
	[ "$(predictions <<<"$output")" != "$expected" ]
}

@test "the tutorial's data from .npy files and from CSV give the same predictions" {
	run -0 ipp-run loo --trees 10 --json --engines 2
	expected=$(predictions <<<"$output")
	run -0 ipp-run loo --trees 10 --json --engines 2 --x "$data/X.npy" --y "$data/Y.npy"
	[ "$(predictions <<<"$output")" = "$expected" ]
	python3 - "$data/X.npy" "$data/Y.npy" >all.csv <<-'END'
		import struct, sys
		def read(path):
		    raw = open(path, "rb").read()
		    body = raw[10 + struct.unpack("<H", raw[8:10])[0]:]
		    return struct.unpack("<%dd" % (len(body) // 8), body)
		x, y = read(sys.argv[1]), read(sys.argv[2])
		print(",".join("x%d" % j for j in range(50)) + ",y")
		for i in range(500):
		    print(",".join(map(repr, x[50 * i:50 * i + 50])) + "," + repr(y[i]))
	END
	run -0 ipp-run loo --trees 10 --json --engines 2 --csv all.csv --target y
	[ "$(predictions <<<"$output")" = "$expected" ]
}

@test "without --engines there is one for each CPU we may use" {
	run -0 taskset -c 0 ipp-run loo --trees 2 --json
	[ "$(jq .engines <<<"$output")" = 1 ]
}

@test "nothing is left when loo has ended" {
	run -0 ipp-run loo --trees 2 --engines 3
	wait_until 5 none_left
	[ ! -e .slurm-ipp ]
}
