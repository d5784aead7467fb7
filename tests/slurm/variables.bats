#!/usr/bin/env bats
# Variables of engines on two nodes: what crosses the network, and how often.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

home() { echo "$IPP_TEST_CLUSTER/home/alice"; }

# bytes_file NAME BYTES: random ones, of alice's
bytes_file()
{
	head -c "$2" /dev/urandom >"$(home)/$1"
	chmod 644 "$(home)/$1"
}

# What engine 7's node, n2, has received by now.
received='received() {
	ipp-run apply --targets 7 -- awk "NR > 2 && \$1 != \"lo:\" { n += \$2 } END { printf \"%d\n\", n }" \
		/proc/net/dev
}'

@test "pushed bytes cross the network once for the four engines of a node" {
	bytes_file large 20000000
	run_srun -N2 --ntasks-per-node=4 --ipp-engines bash -c "$received"'
		before=$(received)
		ipp-run push v=@large
		echo $(($(received) - before))
		ipp-run pull -o got v
		for rank in 0 1 2 3 4 5 6 7; do cmp got.$rank large; done'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	((lines[0] > 20000000 && lines[0] < 30000000))
}

@test "shares cross it once, and come back as they were" {
	bytes_file large 8000000
	run_srun -N2 --ntasks-per-node=4 --ipp-engines bash -c "$received"'
		before=$(received)
		ipp-run scatter v=@large
		echo $(($(received) - before))
		ipp-run gather -o got v && cmp got large'
	[ "$status" -eq 0 ]
	((lines[0] > 4000000 && lines[0] < 6000000))
}

# Engines 5, 6 and 7 have connected to where engine 4 shares, besides the four that listen
lead_is_asked()
{
	[ "$(as root n2 grep -c slurm-ipp/ /proc/net/unix)" -ge 7 ]
}

@test "neighbours of an engine that dies with the bytes get them from the controller" {
	bytes_file large 20000000
	rm -f "$(home)"/{ids,go,code}
	start_as alice head srun -N2 --ntasks-per-node=4 --ipp-engines --no-kill bash -c '
		ipp-run ids >ids.new; mv ids.new ids
		until [ -e go ]; do sleep 0.05; done
		ipp-run push --targets 4-7 v=@large 2>err
		echo $? >code.new
		ipp-run pull --targets 5-7 -o got v
		for rank in 5 6 7; do cmp got.$rank large || echo 1 >>code.new; done
		mv code.new code'
	wait_until 30 test -e "$(home)/ids"
	lead=$(sed -n 's/^4 .*pid=\([0-9]*\).*/\1/p' "$(home)/ids")
	as root n2 kill -STOP "$lead"
	as alice n1 touch go
	wait_until 10 lead_is_asked
	as root n2 kill -KILL "$lead"
	wait_until 30 test -e "$(home)/code"
	wait "$started"
	cat "$(home)/err"
	[ "$(cat "$(home)/code")" = 125 ]
	grep -q "to engine 4: engine 4 on n2 was lost" "$(home)/err"
}

@test "an engine that was started again gets what was pushed from its neighbours" {
	bytes_file large 20000000
	run_srun -N2 --ntasks-per-node=4 --ipp-engines --no-kill bash -c "$received"'
		ipp-run push v=@large
		before=$(received)
		ipp-run apply --targets 5 -- sh -c "kill -9 \$(awk \"{ print \\\$4 }\" /proc/\$PPID/stat)" 2>/dev/null
		until ipp-run pull --targets 5 -o got v 2>/dev/null; do :; done
		echo $(($(received) - before))
		cmp got large'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	((lines[0] < 10000000))
}

@test "a module and its arguments cross the network once for the four engines of a node" {
	bytes_file large 8000000
	cat "$(realpath "${B:-build/release}")/tests/modules/sample.so" "$(home)/large" >"$(home)/sample.so"
	chmod 644 "$(home)/sample.so"
	run_srun -N2 --ntasks-per-node=4 --ipp-engines bash -c "$received"'
		before=$(received)
		ipp-run apply ./sample.so:weigh u=@large 2>&1 | grep -c "must be an array of <f8"
		echo $(($(received) - before))
		ipp-run map ./sample.so:square 0:1000 | tail -n 1
		echo $(($(received) - before))'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 8 ]
	((lines[1] > 16000000 && lines[1] < 20000000))
	[ "${lines[2]}" = 998001 ]
	((lines[3] > 24000000 && lines[3] < 29000000))
}

@test "small arrays and small modules cross it once, too" {
	bytes_file small 16384
	cc -shared -fPIC -s -D_GNU_SOURCE -Iengine -o "$(home)/small.so" tests/modules/sample.c
	chmod 644 "$(home)/small.so"
	module_bytes=$(stat -c %s "$(home)/small.so")
	((module_bytes < 65536))
	run_srun -N2 --ntasks-per-node=4 --ipp-engines bash -c "$received"'
		before=$(received)
		ipp-run push $(printf "v%d=@small " {1..40})
		echo $(($(received) - before))
		for rank in 4 5 6 7; do ipp-run pull --targets $rank -o got v40; cmp got small; done
		before=$(received)
		for i in {1..20}; do ipp-run apply ./small.so:place; done | sort | uniq -c | awk "{ print \$1 }" | uniq
		echo $(($(received) - before))'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
	((lines[0] > 40 * 16384 && lines[0] < 80 * 16384))
	[ "${lines[1]}" -eq 20 ]
	((lines[2] > 20 * module_bytes && lines[2] < 40 * module_bytes))
}

@test "what is left behind crosses the network as often, and is whole when it is asked for" {
	bytes_file large 8000000
	run_srun -N2 --ntasks-per-node=4 --ipp-engines bash -c "$received"'
		before=$(received)
		pushed=$(ipp-run push --async v=@large) && scattered=$(ipp-run scatter --async w=@large)
		ipp-run wait $pushed $scattered
		echo $(($(received) - before))
		pulled=$(ipp-run pull --async v) && gathered=$(ipp-run gather --async w)
		ipp-run rm v w
		ipp-run result -o got "$pulled"
		for rank in 0 1 2 3 4 5 6 7; do cmp got.$rank large; done
		ipp-run result -o got "$gathered" && cmp got large'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	((lines[0] > 12000000 && lines[0] < 16000000))
}
