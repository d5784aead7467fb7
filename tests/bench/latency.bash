# shellcheck shell=bash
# one blocking round trip, beside the least that two processes can do.

bench_latency()
{
	local ours="" pings="" theirs ratios="" ping us i
	cluster 2
	for ((i = 0; i < repeats; i++)); do
		ping=$(median_of "$("$B/bench/pingpong" 5000)")
		us=$("$B/ipp-run" bench --seconds 0.5 --json | figure round_trip_us)
		pings+="$ping"$'\n' ours+="$us"$'\n' ratios+="$(quotient "$us" "$ping")"$'\n'
	done
	cluster_end
	title "blocking round trip in a node, us (medians, in turns)" median min max
	summary <<<"${pings%$'\n'}" | rows "ping-pong over a Unix socket"
	summary <<<"${ours%$'\n'}" | rows "apply of a no-op function"
	row "ping-pongs in an apply (aim: 4)" \
		"$(quotient "$(median_of "$(summary <<<"${ours%$'\n'}")")" \
			"$(median_of "$(summary <<<"${pings%$'\n'}")")")"
	read -r _ _ theirs < <(rival)
	row "ipyparallel, direct view" "$theirs"
	[ "$theirs" = - ] || row "times faster than that (aim: 30)" \
		"$(quotient "$theirs" "$(median_of "$(summary <<<"${ours%$'\n'}")")")"
}
