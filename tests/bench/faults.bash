# shellcheck shell=bash
# how soon work goes on when an engine or a worker is killed.

# What a task writes when it begins: the time, and the pid of its worker.
# shellcheck disable=SC2016     # for the task's shell
readonly moment='echo "$(date +%s%N) $PPID"'

# lines N: wait until the tasks have written as many
lines() { until [ "$(wc -l <"$scratch/moments")" -ge "$1" ]; do sleep 0.02; done; }

# parent PID
parent() { awk '/^PPid:/ { print $2 }' "/proc/$1/status"; }

# From kill -9 of the engine to the first line of its task on the other one.
bench_lost_engine()
{
	local i worker killed began="" request

	cluster 2
	for ((i = 0; i < repeats; i++)); do
		: >"$scratch/moments"
		until [ "$("$B/ipp-run" ids | wc -l)" = 2 ]; do sleep 0.05; done
		request=$("$B/ipp-run" map --async -- \
			sh -c "$moment >>$scratch/moments; exec sleep 60" ::: 1)
		lines 1
		read -r _ worker <"$scratch/moments"
		killed=$(date +%s%N)
		kill -9 "$(parent "$worker")"
		lines 2
		began+=$(awk -v killed="$killed" 'NR == 2 { printf "%.3f", ($1 - killed) / 1e6 }' \
			"$scratch/moments")$'\n'
		"$B/ipp-run" cancel "$request" >/dev/null
	done
	cluster_end
	title "from kill -9 to the next that runs, ms" median min max
	summary <<<"${began%$'\n'}" | rows "of an engine: its task, on another"
}

# From the moment when a task kills its worker to the next task on the same engine.
bench_lost_worker()
{
	: >"$scratch/moments"
	cluster 1
	# shellcheck disable=SC2046     # they are words
	"$B/ipp-run" map --keep-going --chunk 1 -- \
		sh -c "$moment >>$scratch/moments; [ {} = 0 ] || kill -9 \$PPID" \
		::: $(yes '1 0' | head -n "$repeats") 2>/dev/null || true # as many have failed
	cluster_end
	awk 'NR % 2 == 1 { killed = $1 } NR % 2 == 0 { printf "%.3f\n", ($1 - killed) / 1e6 }' \
		"$scratch/moments" | summary | rows "of a worker: the next task, on its engine"
}
