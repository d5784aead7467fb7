# shellcheck shell=bash
# controller and engine, at rest; then what ten million items need.

bench_memory()
{
	"$B/ipp-run" start -n 2 >/dev/null
	title "memory on this machine, KiB" PSS RSS ''
	{
		tests/bench/memory controller
		"$B/ipp-run" apply --targets 0 -- tests/bench/memory engine
		"$B/ipp-run" loo >/dev/null
		"$B/ipp-run" apply --targets 0 -- tests/bench/memory engine | head -n 1
	} | memory_rows controller "engine with guard and worker, new" "${parts[@]}" \
		"the same after ipp-run loo"
	"$B/ipp-run" stop >/dev/null
}

# peak PID: the most it has had resident, in MB, until it ends
peak()
{
	local kib=0 now
	while now=$(awk '/VmHWM/ { print $2 }' "/proc/$1/status" 2>/dev/null) && [ -n "$now" ]; do
		kib=$now
		sleep 0.1
	done
	echo $((kib / 1024))
}

bench_items()
{
	local controller client n=10000000
	cluster 2
	controller=$(for pid in $(pgrep -x ipp-controller); do
		! grep -Fzxqs "IPP_BENCH=$IPP_BENCH" "/proc/$pid/environ" || echo "$pid"
	done)
	title "most memory in a map of $n no-op items, MB" RSS
	"$B/ipp-run" map bench.so:noop 2>/dev/null < <(seq $n) &
	client=$(peak $!)
	wait $!
	row "ipp-run map bench.so:noop" "$client"
	row controller "$(($(awk '/VmHWM/ { print $2 }' "/proc/$controller/status") / 1024))"
	cluster_end
}
