# shellcheck shell=bash
# no-op functions in a map, and how busy naps keep the engines.

bench_tasks()
{
	local ours theirs
	cluster 2
	title "no-op functions a second in a map, 2 engines" median min max
	ours=$(for ((i = 0; i < repeats; i++)); do
		"$B/ipp-run" bench --seconds 1 --json | figure functions_per_s
	done | summary)
	# shellcheck disable=SC2086     # three words
	printf '%.0f %.0f %.0f\n' $ours | rows "ipp-run (aim: 300000)"
	cluster_end
	read -r theirs _ < <(rival)
	row "ipyparallel, lview.map_sync" "$theirs"
	[ "$theirs" = - ] || row "times ipyparallel (aim: 100)" \
		"$(quotient "$(median_of "$ours")" "$theirs")"
}

bench_journal()
{
	local map="$B/ipp-run map" noops="bench.so:noop 0:500000 2>/dev/null"

	cluster 2
	title "500,000 no-op functions and a journal, ms" median min max
	BEFORE="rm -f $scratch/journal" tests/bench/times "$repeats" "$map $noops" \
		"$map --journal $scratch/journal $noops" >"$scratch/times"
	rows "without" "with" <"$scratch/times"
	row "rate with, of that without" "$(awk 'NR == 1 { without = $1 }
		NR == 2 { printf "%.2f", without / $1 }' "$scratch/times")"
	cluster_end
}

bench_naps()
{
	local busy mixed
	cluster 2
	busy=$(for ((i = 0; i < repeats; i++)); do "$B/bench/schedule" same 2000 1000; done | summary)
	title "2 engines' time in tasks, per cent" median min max
	rows "2000 tasks of 1 ms (aim: 97)" <<<"$busy"
	mixed=$("$B/bench/schedule" mixed 120 1000 2000000)
	title "makespan of tasks of 1 ms to 2 s, ms" ours greedy ratio
	awk '{ printf "%.1f %.1f %.4f\n", $2, $3, $2 / $3 }' <<<"$mixed" |
		rows "120 tasks, log-uniform (aim: 1.03)"
	cluster_end
}
