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
