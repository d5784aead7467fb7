# shellcheck shell=bash
# a step with engines and without, and their memory: on the mini cluster, as root.

readonly cluster=$scratch/cluster

on_head()
{
	tests/slurm/cluster run "$cluster" -- "$@"
}

bench_slurm()
{
	local prefix=$cluster/prefix srun='srun -N2 -n4'

	make --no-print-directory -s install prefix="$prefix" sysconfdir="$prefix/etc/slurm" \
		plugindir="$prefix/lib/slurm"
	tests/slurm/cluster up "$cluster" --nodes 2
	title "srun on two nodes, ms" median min max
	# A node that is still busy with the end of the last job makes the next one wait for seconds.
	# shellcheck disable=SC2016     # for that shell
	on_head env BEFORE='until [ "$(sinfo -hN -o %T | sort -u)" = idle ]; do sleep 0.05; done' \
		bash -c "$(<tests/bench/times)" times "$repeats" "$srun true" "$srun --mpi=pmix true" \
		"$srun --ipp-engines true" "$srun --ipp-engines ipp-run loo --held-out 0:1" \
		"$srun --ipp-engines ipp-run loo" |
		rows "$srun true" "$srun --mpi=pmix true" "$srun --ipp-engines true" \
			"$srun --ipp-engines ipp-run loo --held-out 0:1" \
			"$srun --ipp-engines ipp-run loo"
	title "memory under $srun, KiB" PSS RSS ''
	# shellcheck disable=SC2016,SC2086      # $1 is for that shell; the words of $srun
	on_head env IPP_BENCH=$IPP_BENCH $srun --ipp-engines \
		bash -c 'bash -c "$1" memory controller
			ipp-run apply --targets 0,3 -- bash -c "$1" memory engine' - \
			"$(<tests/bench/memory)" |
		memory_rows controller "engine 0 with guard and worker" "${parts[@]}" \
			"engine 3, on the other node, with guard and worker" "${parts[@]}"
}

# What TLS costs: the same asked of the engine beside the controller, over Unix sockets, and of one
# on the other node, which here has the same CPUs.
bench_links()
{
	local key

	# shellcheck disable=SC2016     # $1 is for that shell
	on_head srun -N2 -n2 --ipp-engines bash -c 'for ((i = 0; i < $1; i++)); do
		for engine in 0 1; do
			ipp-run bench --targets $engine --seconds 0.3 --json
		done
	done' - "$repeats" >"$scratch/links"
	title "one engine on the controller's node, on another, and their ratio" Unix TLS ratio
	for key in functions_per_s push_mb_per_s gather_mb_per_s round_trip_us; do
		jq -r ".$key" "$scratch/links" | awk 'NR % 2 == 1' | summary >"$scratch/unix"
		jq -r ".$key" "$scratch/links" | awk 'NR % 2 == 0' | summary >"$scratch/tls"
		paste "$scratch/unix" "$scratch/tls" |
			awk '{ printf "%.4g %.4g %.2f\n", $1, $4, $4 / $1 }'
	done | rows "no-op functions a second" "push of 64 MiB, MB/s" "pull of it, MB/s" \
		"round trip, us"
}
