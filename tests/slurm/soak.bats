#!/usr/bin/env bats
# Maps of 100,000 tasks under random faults: engines, workers and clients are killed or stopped, links
# are cut for a moment.  No result is lost, doubled or wrong; memory and descriptors of what lives on
# stay as they were; no process, socket or file is left, neither in between nor at the end.
#   SOAK_SECONDS=3600       how long (120)          SOAK_SEED=7     the faults' order (1)

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

n_tasks=100000 n_commands=300 n_engines=6
seed=${SOAK_SEED:-1} seconds=${SOAK_SECONDS:-120}
grows_kb=1000 # at most, from then on when everything has broken once

# ---- the job: maps one after the other, each checked ----

write_job()
{
	echo "#!/bin/bash"
	echo "RANDOM=$seed n_tasks=$n_tasks n_commands=$n_commands n_engines=$n_engines"
	cat <<-'END'
		# checked NAME WANTED FILE: that the results are there, each once and right
		checked()
		{
			cmp -s "$2" "$3" && echo "good $1" || { echo "WRONG $1"; cp "$3" "wrong.$1"; }
		}
		# All engines are back, and no client but this one is there
		wait_until_idle()
		{
			for _ in {1..300}; do
				ipp-run status --json | jq -e --argjson n "$n_engines" '.clients == 1 and
					([.engines[] | select(.state == "idle")] | length) == $n' >/dev/null && return
				sleep 0.1
			done
			echo "WRONG: engines are missing or busy, or clients left"
			ipp-run status
		}
		# Clients with a journal are killed, or stopped for a moment, until one has ended
		break_clients()
		{
			while sleep 0.$((RANDOM % 6 + 4)) && kill -0 "$1" 2>/dev/null; do
				case $((RANDOM % 6)) in
				0 | 1) pkill -KILL -f '^ipp-run map .*--journal' ;;
				2)
					pkill -STOP -f '^ipp-run map .*--journal'
					sleep 0.$((RANDOM % 10))
					pkill -CONT -f '^ipp-run map .*--journal'
					;;
				esac
			done
		}
		# What it leaves behind is in a session of its own, and holds its stdout
		printf '#!/bin/sh\nsetsid tail -f /dev/null &\necho $(($1 * $1))\n' >square
		chmod 755 square
		ipp-run push kept=@kept.npy || exit
		for ((i = 0; ; i++)); do
			echo "round $i"
			ipp-run map --retries 50 ./soak.so:work 0:$n_tasks >out
			checked ordered.$i squares out
			ipp-run map --retries 50 --unordered ./soak.so:work 0:$n_tasks | sort -n >out
			checked unordered.$i squares out
			rm -f journal
			until ipp-run map --retries 50 --journal journal --resume ./soak.so:work 0:$n_tasks >out; do
				echo "resumed $i"
			done &
			break_clients $!
			wait
			checked resumed.$i squares out
			ipp-run journal journal | tail -n +2 | cut -f1 | sort -n >out
			checked journal.$i indices out
			ipp-run map --retries 50 -- ./square {} ::: 0:$n_commands >out
			checked commands.$i <(head -n $n_commands squares) out
			# A pull may fail with an engine that is lost under it, but not be wrong.
			ipp-run pull --targets $((RANDOM % n_engines)) -o pulled.npy kept &&
				{ cmp -s kept.npy pulled.npy || echo "WRONG pull.$i"; }
			[ -e pause ] && pause=yes || pause=
			wait_until_idle
			[ "$pause" ] || continue
			touch rests
			while [ -e pause ]; do sleep 0.1; done
			[ ! -e stop ] || break
		done
		echo ended
	END
}

# ---- the faults ----

# Of three engines on a node the first one lives on, to show what grows; the others take turns.
second() { as root "$1" ps -C ipp-engine -o pid= --sort=start_time | awk 'NR == 2 { print $1 }'; }
worker() { as root "$1" pgrep -x ipp-worker | sed -n "$((RANDOM % 3 + 1))p"; }

kill_engine() { as root "$1" kill -KILL "$(second "$1")"; }
kill_worker() { as root "$1" kill -KILL "$(worker "$1")"; }
stop_worker() { as root "$1" kill -STOP "$(worker "$1")"; }
stop_engine() # its guard bears that for 3 s
{
	local pid
	pid=$(second "$1")
	as root "$1" sh -c "kill -STOP $pid && sleep $((RANDOM % 6)) && kill -CONT $pid" 3>&- &
}
cut_link()
{
	cluster link "$IPP_TEST_CLUSTER" "$1" down
	sleep_ms $((RANDOM % 1000))
	cluster link "$IPP_TEST_CLUSTER" "$1" up
	sleep_ms 1500 # TCP tries again: cuts that follow each other at once would be one
}

sleep_ms() { sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }

# faults SECONDS: what broke is in the file "broken"
faults()
{
	local end=$((SECONDS + $1)) fault all=(kill_engine kill_engine stop_engine kill_worker kill_worker
		kill_worker kill_worker stop_worker cut_link cut_link)
	while ((SECONDS < end)); do
		sleep_ms $((RANDOM % 2000))
		fault=${all[RANDOM % ${#all[@]}]}
		"$fault" n$((RANDOM % 2 + 1)) || true # it may just be gone
		echo "$fault" >>"$BATS_TEST_TMPDIR/broken"
	done 2>/dev/null
	wait
}

# ---- what there is, while nothing happens ----

pause()
{
	touch "$home/pause"
	wait_until 300 [ -e "$home/rests" ] || { cat "$home/job.out"; return 1; }
}

go_on()
{
	rm -f "$home"/{rests,pause}
}

# things: processes of alice's, sockets of ours, and files, of all hosts
things()
{
	local host
	for host in head n1 n2; do
		echo "$host:"
		as root "$host" ps -u alice -o comm= | grep -vx sleep | sort | uniq -c
		as root "$host" grep -c slurm-ipp/ /proc/net/unix || true
		as root "$host" find /tmp /dev/shm -mindepth 1 -path "$IPP_TEST_CLUSTER" -prune -o -print
	done
}

are_the_same() { things >"$BATS_TEST_TMPDIR/now" && cmp -s "$BATS_TEST_TMPDIR/now" "$BATS_TEST_TMPDIR/$1"; }

# usage: a line each that lives long: host, pid, name, kB of memory, descriptors
usage()
{
	local host
	for host in n1 n2; do
		as root "$host" sh -c 'for pid in $(pgrep "^ipp-(controller|guard|engine)$"); do
			echo $0 $pid $(cat /proc/$pid/comm) \
				$(awk "/^Rss(Anon|Shmem)/ { n += \$2 } END { print n }" /proc/$pid/status) \
				$(ls /proc/$pid/fd | wc -l)
		done' "$host"
	done
}

# lived_on: of the second usage, what was there at the first: name, kB and descriptors then and now
lived_on()
{
	awk 'NR == FNR { kb[$1, $2] = $4; files[$1, $2] = $5 }
		NR != FNR && ($1, $2) in kb { print $1, $3, kb[$1, $2], $4, files[$1, $2], $5 }' \
		"$BATS_TEST_TMPDIR"/usage.{before,after}
}

@test "100,000 tasks a map, and something breaks all the time" {
	home=$IPP_TEST_CLUSTER/home/alice
	RANDOM=$seed
	rm -f "$home"/{rests,pause,stop,journal,wrong.*}
	seq 0 $((n_tasks - 1)) >"$home/indices"
	awk '{ printf "%.0f\n", $1 * $1 }' "$home/indices" >"$home/squares"
	cp "${B:-build/release}/tests/modules/soak.so" "$home"
	cp tests/data/X.npy "$home/kept.npy"
	chmod 644 "$home"/{indices,squares,kept.npy}
	things >"$BATS_TEST_TMPDIR/at_first"
	write_job | start_batch -N2 -n$n_engines --ntasks-per-node=3 --ipp-engines
	wait_until 30 grep -q '^round' "$home/job.out"

	faults $((seconds / 4))
	pause
	usage >"$BATS_TEST_TMPDIR/usage.before"
	things >"$BATS_TEST_TMPDIR/before"
	go_on
	faults $((seconds - seconds / 4))
	touch "$home/stop"
	pause
	usage >"$BATS_TEST_TMPDIR/usage.after"
	wait_until 10 are_the_same before || diff "$BATS_TEST_TMPDIR"/{before,now}
	go_on

	await_batch
	grep -v '^ipp-run: engine . on n. was lost' <<<"$output"
	# shellcheck disable=SC2046     # one line
	echo "# $(grep -c '^good' <<<"$output") right;" $(sort "$BATS_TEST_TMPDIR/broken" | uniq -c) >&3
	lived_on | grep -v guard | sed 's/^/# /' >&3
	[ "$status" = 0 ]
	[[ $output == *ended ]]
	[[ $output != *WRONG* ]]
	[ "$(lived_on | wc -l)" -ge $((1 + n_engines + 2)) ]
	[ -z "$(lived_on | awk -v kb=$((grows_kb + $(quarantine_kb))) '$4 > $3 + kb || $6 > $5')" ]
	wait_until 20 are_the_same at_first || diff "$BATS_TEST_TMPDIR"/{at_first,now}
}
