#!/usr/bin/env bats
# The plugin lives in root daemons.  Whatever a job's options, environment and arguments are, those
# daemons live on, no node is drained, and the next honest job runs.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

daemons()
{
	as root head pgrep -x slurmctld
	as root n1 pgrep -x slurmd
	as root n2 pgrep -x slurmd
}

# Whatever each attempt comes to; six at a time
attempt()
{
	while [ "$(jobs -pr | wc -l)" -ge 6 ]; do
		wait -n || true
	done
	as alice head timeout -k 5 40 "$@" </dev/null >>"$BATS_TEST_TMPDIR/attempts" 2>&1 3>&- &
}

honest_job_runs()
{
	wait
	no_node_is_drained
	[ "$(daemons)" = "$before" ]
	run_srun -N2 -n4 --ipp-engines bash -c 'ipp-run ids | wc -l'
	[ "$status" -eq 0 ]
	[ "$output" = 4 ]
}

no_job_is_left() { [ -z "$(as root head squeue -h)" ]; }
many() { head -c "$1" /dev/zero | tr '\0' x; }

setup()
{
	need_root
	before=$(daemons)
}

@test "options with values of any size and kind" {
	local value
	for value in '' ' ' -1 +4 ' 4' $'4\n' 0x10 4e0 $'\xd9\xa4' $'\xff\xfe' %s%n%s%n '$(id)' "$(many 100000)" \
		18446744073709551617 99999999999999999999999 "$(printf '%0100000d' 4)"; do
		attempt srun -n1 "--ipp-engines=$value" true
		attempt srun -n1 --ipp-engines "--ipp-timeout=$value" true
	done
	for value in '' ../../etc/passwd /etc/shadow %n%n%n '*' -h $'eth0\n' $'\e[31m' $'\xff' ';id' "$(many 15)" \
		"$(many 16)" "$(many 100000)"; do
		attempt srun -n1 --ipp-engines "--ipp-interface=$value" true
	done
	attempt srun -n2 --ipp-engines=1 --ipp-engines=2 --ipp-engines --ipp-timeout=1 --ipp-timeout=9 true
	# shellcheck disable=SC2046      # words
	attempt srun -n2 $(printf -- '--ipp-engines=2 %.0s' {1..10000}) true
	honest_job_runs
}

@test "options in a batch script, of a megabyte" {
	local option script=$IPP_TEST_CLUSTER/home/alice/hostile.sh
	for option in engines timeout interface; do
		printf '#!/bin/sh\n#SBATCH --ipp-engines\n#SBATCH --ipp-%s=%s\ntrue\n' $option "$(many 1000000)" >"$script"
		chmod 755 "$script"
		attempt sbatch -W "$script"
	done
	honest_job_runs
}

@test "variables of the plugin, of srun and of the launcher, forged" {
	local value option=SLURM_SPANK__SLURM_SPANK_OPTION_ipp_ipp
	for value in '' 4 %n%n%n $'\xff\n' "$(many 100000)"; do
		attempt env "${option}_engines=$value" "${option}_timeout=$value" "${option}_interface=$value" \
			srun -n1 true
		attempt env "${option}_engines=$value" "${option}_timeout=$value" "${option}_interface=$value" \
			sbatch -W -n1 --wrap true
		attempt env "SLURM_IPP_SET=$value" srun -n2 --mpi=pmix --ipp-engines true
		attempt env "IPP_LAUNCH_MODE=$value" "IPP_LAUNCH_COMMAND=$value" "IPP_LAUNCH_LIFE=$value" \
			"IPP_LAUNCH_REPORT=$value" "IPP_LAUNCH_UNIX=$value" "IPP_LAUNCH_ENGINES=$value" \
			"IPP_LAUNCH_DEADLINE=$value" "IPP_CONNECT=$value" srun -n2 --ipp-engines true
	done
	for value in 0 -1 99999999999; do
		attempt env "IPP_LAUNCH_LIFE=$value" srun -n1 --ipp-engines true
	done
	honest_job_runs
}

@test "an environment that would bend any program" {
	attempt env LD_PRELOAD=/no/such.so LD_LIBRARY_PATH=. PATH= TMPDIR=/none srun -n2 --ipp-engines /bin/true
	attempt env -i SLURM_CONF=/etc/slurm/slurm.conf /usr/bin/srun -n2 --ipp-engines /bin/true
	attempt env SLURM_MPI_TYPE="$(many 100000)" srun -n2 --ipp-engines true
	attempt bash -c 'for i in {1..5000}; do export "v$i=$i"; done; srun -n2 --ipp-engines true'
	attempt bash -c 'for i in {1..5000}; do export "v$i=$i"; done; sbatch -W -n2 --ipp-engines --wrap true'
	honest_job_runs
}

@test "arguments of any number and size" {
	attempt srun -n2 --ipp-engines true {1..20000}
	attempt srun -n2 --ipp-engines true "$(many 130000)"
	attempt srun -n2 --ipp-engines ''
	attempt srun -n2 --ipp-engines "$(many 100000)"
	attempt srun -n2 --ipp-engines $'a\nb' $'\xff' %n
	attempt bash -c 'exec -a "" srun -n2 --ipp-engines true'
	attempt bash -c 'exec -a "$(head -c 100000 /dev/zero | tr "\0" x)" srun -n2 --ipp-engines true'
	honest_job_runs
}

@test "a job that keeps for itself what is to tell of its end" {
	attempt srun -n1 --ipp-engines sh -c 'setsid sleep 30 &'
	attempt srun -n1 --ipp-engines sh -c 'kill -STOP $PPID; kill -9 $$'
	honest_job_runs
}

@test "jobs that no sbatch would submit" {
	local bytes job
	cc -o "$IPP_TEST_CLUSTER/home/alice/hostile_submit" "$slurm_tests/hostile_submit.c" -lslurm
	for bytes in 0 1 63 64 1000 1000000; do
		job=$(as alice head ./hostile_submit $bytes)
	done
	wait_until 30 no_job_is_left
	honest_job_runs
}
