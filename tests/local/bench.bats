#!/usr/bin/env bats
# ipp-run bench, on local engines: that it measures, not how much.

load helper

@test "bench measures the engines it is given, and leaves nothing behind" {
	ipp bench --engines 2 --seconds 0.05
	show
	[ "$status" = 0 ]
	[ "${lines[0]}" = "2 engines; the cluster has 1 node" ]
	for label in "apply to one engine" "apply to all engines" "no-op functions" "no-op commands" "push of 64 MiB" "scatter of 64 MiB" "gather of them"; do
		[[ $output =~ ${label}[^$'\n']*\ [1-9] ]]
	done
	[ "$stderr" = "" ]
	wait_until 5 none_left
}

@test "bench takes away what it pushed" {
	start 2
	run -0 ipp-run bench --seconds 0.05
	run -0 ipp-run ls
	[[ $output != *ipp_bench* ]]
	ipp-run stop
}

@test "bench --json is one object whose figures are numbers above 0" {
	ipp bench --engines 1 --seconds 0.05 --json
	show
	[ "${#lines[@]}" = 1 ]
	python3 -c 'import json, sys
figures = json.loads(sys.argv[1])
assert figures.pop("engines") == 1 and figures.pop("nodes") == 1
assert len(figures) >= 6 and all(value > 0 for value in figures.values()), figures' "$output"
}

@test "bench says what is wrong with its words" {
	refused "what is 'more'? It takes options alone" bench more
	refused "give a number of seconds" bench --seconds long
	refused "there is no engine 5" bench --engines 1 --targets 5
}
