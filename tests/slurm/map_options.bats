#!/usr/bin/env bats
# Options of map on two nodes: where tasks run, and what is told of that.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

@test "the job log, JSON and results of a map on two nodes say where each item ran" {
	rm -rf "$(home)"/{log,out,json}
	# each waits for one on the other node: none of the four engines gets two
	run_srun -N2 -n4 --ntasks-per-node=2 --ipp-engines bash -c '
		ipp-run map --chunk 1 --hwm 1 --json --joblog log --results out -- sh -c \
			"touch here.\$1; until [ \$(ls here.* | wc -l) = 4 ]; do sleep 0.05; done; hostname" sh \
			::: a b c d >json'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(cut -f 2 "$(home)/log" | tail -n +2 | sort | uniq -c | tr -s ' ' | xargs)" = "2 n1 2 n2" ]
	[ "$(cut -f 2 "$(home)/log" | head -n 1)" = Host ]
	python3 - "$(home)" <<-'END'
		import json, sys
		home = sys.argv[1]
		tasks = [json.loads(line) for line in open(home + "/json")]
		hosts = {int(line.split("\t")[0]) - 1: line.split("\t")[1]
		         for line in list(open(home + "/log"))[1:]}
		assert len(tasks) == 4
		for task in tasks:
		    assert task["host"] == hosts[task["index"]] == task["stdout"].strip(), task
		    assert task["host"] == ("n1" if task["engine"] < 2 else "n2"), task
	END
	rm -f "$(home)"/here.*
}

@test "only the client writes the results folder, which other nodes need not see" {
	run_srun -N2 -n2 --ipp-engines bash -c '
		rm -rf /tmp/results-of-map
		ipp-run map --targets 1 --results /tmp/results-of-map -- sh -c hostname ::: x y
		find /tmp/results-of-map -name stdout | wc -l
		ipp-run apply --targets 1 -- test -e /tmp/results-of-map
		rm -rf /tmp/results-of-map'
	echo "$output"
	[ "${lines[0]}" = n2 ]
	[ "${lines[1]}" = n2 ]
	[ "${lines[2]}" = 2 ]
	[ "${lines[3]}" = "ipp-run: engine 1 of n2: test exited with code 1" ]
}

@test "--targets keeps a map to a node, and --follow to where another one ran" {
	run_srun -N2 -n4 --ntasks-per-node=2 --ipp-engines bash -c '
		ipp-run map --targets 2-3 -- sh -c hostname ::: 1 2 3 4 5 6 | sort | uniq -c
		id=$(ipp-run map --async --targets 3 -- true ::: 1)
		ipp-run map --follow $id -- sh -c "echo \$IPP_ENGINE \$(hostname)" ::: 1 2 3 4 | uniq -c
		ipp-run map --follow $id --targets 0 -- sh -c hostname ::: never
		echo $?'
	echo "$output"
	[ "$(xargs <<<"${lines[0]}")" = "6 n2" ]
	[ "$(xargs <<<"${lines[1]}")" = "4 3 n2" ]
	[[ ${lines[2]} == *"may run on none of those engines"* ]]
	[ "${lines[3]}" = 125 ]
}

@test "a failure on the other node is told with its engine and host" {
	run_srun -N2 -n2 --ipp-engines ipp-run map --targets 1 -k -- sh -c 'exit $1' sh ::: 0 3
	echo "$output"
	[[ $output == *"ipp-run: item 1 on engine 1 of n2: sh exited with code 3"* ]]
	run_srun -N2 -n2 --ipp-engines ipp-run apply -- sh -c 'test $(hostname) = n1'
	[[ $output == *"ipp-run: engine 1 of n2: sh exited with code 1"* ]]
}
