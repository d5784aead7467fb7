# shellcheck shell=bash
# a controller with a thousand engines, which share a process but have real links.

# many N: "ms tasks_per_s" with N engines
many()
{
	local controller crowd begin n=2000000
	rm -f "$scratch/registered" # of the last time
	"$B/ipp-controller" 2>/dev/null &
	controller=$!
	"$B/bench/many_engines" "$1" >"$scratch/registered" &
	crowd=$!
	until [ -s "$scratch/registered" ]; do sleep 0.05; done
	begin=${EPOCHREALTIME/./}
	"$B/ipp-run" map bench.so:noop 0:$n 2>/dev/null # which would say that nothing was returned
	echo "$(<"$scratch/registered") $((n * 1000000 / (${EPOCHREALTIME/./} - begin)))"
	"$B/ipp-run" stop >/dev/null
	wait "$crowd" "$controller"
}

bench_many()
{
	local few="" crowd="" registered="" i ms rate
	for ((i = 0; i < repeats; i++)); do
		read -r ms rate <<<"$(many 2)"
		few+="$rate"$'\n'
		read -r ms rate <<<"$(many 1000)"
		crowd+="$rate"$'\n' registered+="$ms"$'\n'
	done
	title "a thousand engines and one controller" median min max
	summary <<<"${registered%$'\n'}" | rows "1000 engines registered, ms (aim: 3000)"
	summary <<<"${few%$'\n'}" | rows "no-op tasks/s with 2"
	summary <<<"${crowd%$'\n'}" | rows "no-op tasks/s with 1000"
	row "of that with 2 (aim: 0.5)" "$(quotient \
		"$(median_of "$(summary <<<"${crowd%$'\n'}")")" \
		"$(median_of "$(summary <<<"${few%$'\n'}")")")"
}
