# shellcheck shell=bash
# common.bash - what the subjects of tests/bench/run share: rows of a table, and clusters.

title()
{
	printf '\n%-62s %10s %10s %10s\n' "$1" "${2-}" "${3-}" "${4-}"
}

row()
{
	printf '  %-60s %10s %10s %10s\n' "$1" "${2-}" "${3-}" "${4-}"
}

# rows LABEL...: a row for each line of stdin, three numbers each
rows()
{
	local label median min max
	for label; do
		read -r median min max
		row "$label" "$median" "$min" "$max"
	done
}

memory_rows()
{
	local label pss rss
	for label; do
		read -r pss rss
		row "$label" "$pss" "$rss" ''
	done
}

# shellcheck disable=SC2034     # memory_rows takes them as labels
readonly parts=("  its guard" "  the engine" "  its worker")

# sorted: the numbers of stdin as "median min max"
summary()
{
	sort -g | awk '{ a[NR] = $1 }
		END { print (a[int((NR + 1) / 2)] + a[int(NR / 2) + 1]) / 2, a[1], a[NR] }'
}

# quotient A B: A / B with two digits
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

median_of() { awk '{ print $1 }' <<<"$1"; }

# figure NAME: of ipp-run bench's object on stdin
figure() { jq -r ".$1"; }

# cluster N: two engines of our own, until cluster_end
cluster() { "$B/ipp-run" start -n "$1" >/dev/null 2>&1; }
cluster_end() { "$B/ipp-run" stop >/dev/null; }

# rival: "tasks_per_s balanced_us direct_us" of ipyparallel, or "-" thrice where it is not there
rival()
{
	env -u OPENBLAS_CORETYPE /usr/bin/python3 tests/bench/ipyparallel_tasks.py 2>/dev/null ||
		echo - - -
}
