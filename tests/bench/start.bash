# shellcheck shell=bash
# commands that start engines, use them and end them.

bench_local()
{
	local run=$B/ipp-run

	title "on this machine, two engines, ms" median min max
	tests/bench/times "$repeats" "$run apply --engines 2 -- true" \
		"$run loo --engines 2 --held-out 0:1" "$run loo --engines 2" "$run loo --engines 1" |
		rows "ipp-run apply --engines 2 -- true" "ipp-run loo --engines 2 --held-out 0:1" \
			"ipp-run loo --engines 2" "ipp-run loo --engines 1"
}
