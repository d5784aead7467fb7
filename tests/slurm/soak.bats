#!/usr/bin/env bats
# Maps of 100,000 tasks under random faults: engines, workers and clients are killed, links are cut for
# a moment.  No result is lost, doubled or wrong, memory and descriptors stay as they were, and nothing
# is left at the end.
#   SOAK_SECONDS=3600       how long (60)           SOAK_SEED=7     the faults' order (1)

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

n_tasks=100000

# ---- the job: maps one after the other, each checked ----

write_job()
{
	cat <<-END
		#!/bin/bash
		# checked NAME FILE: that the results are there, each once and right
		checked()
		{
			cmp -s expected "\$2" && echo "good \$1" || { echo "WRONG \$1"; cp "\$2" "wrong.\$1"; }
		}
		# All engines are back, and no client but this one is there
		wait_until_idle()
		{
			for _ in {1..300}; do
				ipp-run status --json | jq -e '(.engines | length) == 4 and .clients == 1' >/dev/null && return
				sleep 0.1
			done
			echo "WRONG: engines are missing, or clients left"
		}
		ipp-run push kept=@kept.npy || exit
		for ((i = 0; ; i++)); do
			echo "round \$i"
			ipp-run map --retries 50 ./soak.so:work 0:$n_tasks >out
			checked ordered.\$i out
			ipp-run map --retries 50 --unordered ./soak.so:work 0:$n_tasks | sort -n >out
			checked unordered.\$i out
			# The client is killed as well, until the journal has all.
			rm -f journal
			until ipp-run map --retries 50 --journal journal --resume ./soak.so:work 0:$n_tasks >out; do
				echo "resumed \$i"
			done &
			resumed=\$!
			while sleep 0.\$((RANDOM % 6 + 4)) && kill -0 \$resumed 2>/dev/null; do
				((RANDOM % 3)) || pkill -KILL -f '^ipp-run map .*--journal'
			done
			wait
			checked resumed.\$i out
			# A pull may fail with an engine that is lost under it, but not be wrong.
			ipp-run pull --targets 0 -o pulled.npy kept && { cmp -s kept.npy pulled.npy || echo "WRONG pull.\$i"; }
			controller=\$(pgrep -x ipp-controller)
			wait_until_idle
			echo "controller \$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' /proc/\$controller/smaps_rollup) \$(ls /proc/\$controller/fd | wc -l)"
			((i == 0)) || [ ! -e stop ] || break # what grows is seen from the second round on
		done
		echo ended
	END
}

# ---- the faults ----

kill_engine() { as root "$1" pkill -KILL -o -x ipp-engine; }
kill_worker() { as root "$1" pkill -KILL -n -x ipp-worker; }
stop_worker() { as root "$1" pkill -STOP -n -x ipp-worker; }
cut_link()
{
	cluster link "$IPP_TEST_CLUSTER" n2 down
	sleep_ms $((RANDOM % 1000))
	cluster link "$IPP_TEST_CLUSTER" n2 up
	sleep_ms 1500 # TCP tries again: cuts that follow each other at once would be one
}

sleep_ms() { sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }

faults_until()
{
	local end=$1 faults=(kill_engine kill_engine kill_worker kill_worker
		kill_worker kill_worker cut_link cut_link stop_worker) fault
	while ((SECONDS < end)); do
		sleep_ms $((RANDOM % 2000))
		fault=${faults[RANDOM % ${#faults[@]}]}
		"$fault" n$((RANDOM % 2 + 1)) || true # it may just be gone
		echo "$fault"
	done
}

# first, last FIELD: of the job's lines "controller KB FILES"
first() { awk -v f="$1" '/^controller/ { print $f; exit }' <<<"$output"; }
last() { awk -v f="$1" '/^controller/ { x = $f } END { print x }' <<<"$output"; }

@test "100,000 tasks a map, and something breaks all the time" {
	home=$IPP_TEST_CLUSTER/home/alice
	RANDOM=${SOAK_SEED:-1}
	rm -f "$home"/{stop,journal,wrong.*}
	seq 0 $((n_tasks - 1)) | awk '{ printf "%.0f\n", $1 * $1 }' >"$home/expected"
	cp "${B:-build/release}/tests/modules/soak.so" tests/data/X.npy "$home"
	mv "$home/X.npy" "$home/kept.npy"
	chmod 644 "$home"/{expected,kept.npy}
	write_job | start_batch -N2 -n4 --ntasks-per-node=2 --ipp-engines
	wait_until 30 grep -q '^round' "$home/job.out"
	broken=$(faults_until $((SECONDS + ${SOAK_SECONDS:-60})) | sort | uniq -c)
	touch "$home/stop"
	wait_until 240 job_has_ended || { cat "$home/job.out"; false; }
	await_batch
	grep -v '^ipp-run: engine . on n. was lost' <<<"$output"
	# shellcheck disable=SC2086     # one line
	echo "# $(grep -c '^good' <<<"$output") maps;" $broken "; controller from $(first 2) to $(last 2) kB," \
		"$(first 3) to $(last 3) descriptors" >&3
	[ "$status" = 0 ]
	[[ $output == *ended ]]
	[[ $output != *WRONG* ]]
	(($(last 2) < $(first 2) + 4000)) # kB of memory
	(($(last 3) <= $(first 3)))       # descriptors
}
