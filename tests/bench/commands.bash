# shellcheck shell=bash
# no-op commands, two at a time.

bench_commands()
{
	local n=4000 few=200 ours xargs spawn

	cluster 2
	seq $n >"$scratch/items"
	seq $few >"$scratch/few"
	title "no-op commands a second, two at a time" median best worst
	tests/bench/times "$repeats" "$B/ipp-run map -- /bin/true <$scratch/items" \
		"xargs -P2 -n1 /bin/true <$scratch/items" "$B/bench/spawn $n /bin/true" |
		awk -v n=$n '{ printf "%d %d %d\n", n / $1 * 1000, n / $2 * 1000, n / $3 * 1000 }' \
			>"$scratch/rates"
	rows "ipp-run map -- /bin/true, $n items" "xargs -P2 -n1 /bin/true (keeps no output)" \
		"posix_spawn with two pipes, in C" <"$scratch/rates"
	{ read -r ours _ && read -r xargs _ && read -r spawn _; } <"$scratch/rates"
	row "of posix_spawn (aim: 0.75)" "$(quotient "$ours" "$spawn")"
	row "of xargs (aim: 1)" "$(quotient "$ours" "$xargs")"
	if command -v parallel >/dev/null; then
		tests/bench/times "$repeats" "parallel -j2 /bin/true <$scratch/few" |
			awk -v n=$few '{ printf "%d %d %d\n", n / $1 * 1000, n / $2 * 1000, n / $3 * 1000 }'
	else
		echo - - -
	fi | rows "GNU parallel -j2 /bin/true, $few items"
	cluster_end
}
