# shellcheck shell=bash
# 100 MB to, from and among engines, beside the kernel's own copy of it into fresh memory.

# timed CMD...: its wall time in milliseconds
timed()
{
	local begin=${EPOCHREALTIME/./}
	"$@" >/dev/null
	awk -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { print us / 1000 }'
}

shmem_mb() { awk '$1 == "Shmem:" { printf "%.0f", $2 / 1024 }' /proc/meminfo; }

bench_values()
{
	local shm i verb before ids
	local writes="" sends="" starts="" push="" scatter="" pull="" gather=""

	shm=$(mktemp -d -p /dev/shm)
	head -c 104857600 /dev/urandom >"$shm/v"
	cluster 8
	before=$(shmem_mb)
	for ((i = 0; i < repeats; i++)); do
		writes+=$("$B/bench/copy" write "$shm/v")$'\n'
		sends+=$("$B/bench/copy" sendfile "$shm/v")$'\n'
		starts+=$(timed "$B/ipp-run" ids)$'\n'
		push+=$(timed "$B/ipp-run" push v=@"$shm/v")$'\n'
		pull+=$(timed "$B/ipp-run" pull --targets 3 -o "$shm/out" v)$'\n'
		rm -f "$shm/out"
		scatter+=$(timed "$B/ipp-run" scatter w=@"$shm/v")$'\n'
		gather+=$(timed "$B/ipp-run" gather -o "$shm/out" w)$'\n'
		rm -f "$shm/out"
		"$B/ipp-run" rm w
	done
	title "100 MB and 8 engines on this machine, ms" median min max
	ids=$(median_of "$(summary <<<"${starts%$'\n'}")")
	summary <<<"${writes%$'\n'}" | rows "write() into a fresh memfd"
	summary <<<"${sends%$'\n'}" | rows "sendfile() into a fresh memfd"
	summary <<<"${starts%$'\n'}" | rows "ipp-run ids: what a command costs by itself"
	for verb in push scatter pull gather; do
		summary <<<"${!verb%$'\n'}" | rows "ipp-run $verb"
		row "  less ids, of a sendfile (aim: push 1.5, others 1.25)" \
			"$(awk -v t="$(median_of "$(summary <<<"${!verb%$'\n'}")")" -v ids="$ids" \
				-v s="$(median_of "$(summary <<<"${sends%$'\n'}")")" \
				'BEGIN { printf "%.2f", (t - ids) / s }')"
	done
	row "memory of all after that, in copies of 100 MB (aim: 1)" \
		"$(quotient $(($(shmem_mb) - before)) 100)"
	cluster_end
	rm -r "$shm"
}

# One link between nodes beside one bare stream of the same cipher, both over the loopback.
bench_values_between_nodes()
{
	local i bare="" link=""

	for ((i = 0; i < repeats; i++)); do
		bare+=$(timeout 60 "$B/bench/tls_stream" bare 100)$'\n'
		link+=$(timeout 60 "$B/bench/tls_stream" link 100)$'\n'
	done
	title "100 MB over TLS between two processes, ms" median min max
	summary <<<"${bare%$'\n'}" | rows "a bare TLS stream"
	summary <<<"${link%$'\n'}" | rows "a link, into a memfd"
	row "  rate of the link, of the bare stream (aim: 0.80)" \
		"$(quotient "$(median_of "$(summary <<<"${bare%$'\n'}")")" \
			"$(median_of "$(summary <<<"${link%$'\n'}")")")"
}
