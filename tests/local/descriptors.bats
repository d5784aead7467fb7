#!/usr/bin/env bats
# Few descriptors (`ulimit -n`): nobody's results, views or haste take them from the cluster.

# shellcheck disable=SC2030,SC2031        # each test is a subshell of its own
load helper

# start_with N ENGINES: a cluster whose processes may have N descriptors each
start_with()
{
	(
		ulimit -n "$1"
		start "$2"
	)
}

open_in() { find "/proc/$1/fd" -mindepth 1 | wc -l; }

all_have_ended() { [ "$(ipp-run status | awk '{ n += $5 } END { print n }')" = "$1" ]; }

# still_works N: with all of its N engines
still_works()
{
	run -0 ipp-run map -- echo ::: {1..20}
	[ "${#lines[@]}" = 20 ]
	run -0 ipp-run ids
	[ "${#lines[@]}" = "$1" ]
	ipp-run stop
}

@test "engines that could not all have a descriptor are not waited for" {
	local began=$SECONDS
	run --separate-stderr bash -c 'ulimit -n 24; ipp-run start -n 24 --timeout 60'
	show
	((SECONDS - began < 30))
	[ "$status" = 125 ]
	[[ $stderr =~ ^"ipp-run start: ipp-controller: it would need "[0-9]+" descriptors for 24 engines, and may open 24 files: raise the hard limit (ulimit -Hn), or start fewer"$ ]]
	wait_until 30 none_left
}

@test "results of a detached map take no more than their share of the descriptors" {
	start_with 96 3
	id=$(ipp-run map --async -- sh -c 'head -c 65600 /dev/zero; echo $0' ::: {1..120})
	run -0 ipp-run wait "$id"
	(($(open_in "$(ours ipp-controller)") < 60))
	ipp-run result "$id" >got
	for i in {1..120}; do head -c 65600 /dev/zero && echo "$i"; done | cmp - got
	still_works 3
}

@test "a client that takes no results leaves descriptors to the others" {
	start_with 64 3
	mkfifo slow
	for i in {1..400}; do echo /dev/zero; done >items
	ipp-run map --hwm 1 -a items -- head -c 65600 >slow &
	exec 5<slow
	wait_until 30 all_have_ended 400
	run -0 ipp-run map -- echo ::: a b
	[ "$output" = $'a\nb' ]
	cat <&5 >got
	wait $!
	[ "$(stat -c %s got)" = $((400 * 65600)) ]
	still_works 3
}

@test "hundreds of large variables and their pulls leave descriptors to the others" {
	start_with 64 2
	head -c 100000 /dev/urandom >large
	ipp-run push v{1..150}=@large
	for i in {1..40}; do
		ipp-run pull --targets 0 -o "got$i" "v$i" &
	done
	wait
	for i in {1..40}; do
		cmp "got$i" large
	done
	still_works 2
}
