#!/usr/bin/env bats
# srun --ipp-engines: a controller, engines, and the user's command as their client.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

hide_programs_on()
{
	as root "$1" mount -t tmpfs none "$IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp"
}

show_programs_on()
{
	as root "$1" umount "$IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp"
}

# with_arguments ARGUMENTS CMD...: with these after the plugin's path in plugstack.conf
with_arguments()
{
	local file=$IPP_TEST_CLUSTER/prefix/etc/slurm/plugstack.conf.d/ipp.conf arguments=$1 rc=0
	shift
	cp "$file" "$file.kept"
	sed -i "s|^optional .*|& $arguments|" "$file"
	"$@" || rc=$?
	mv "$file.kept" "$file"
	return $rc
}

# list_listeners OPTIONS...: sets $listeners to what the controller of such a step listens on
list_listeners()
{
	start_as alice head srun "$@" --ipp-engines sleep 615
	wait_until 20 as root n1 pgrep -xf '/usr/bin/sleep 615'
	listeners=$(as root n1 ss -Htlnp | grep ipp-controller)
	as root n1 pkill -xf '/usr/bin/sleep 615'
	wait "$started" || true
	[ -n "$listeners" ]
}

@test "four tasks on two nodes are four engines, and the command runs once" {
	run_srun -N2 -n4 --ipp-engines bash -c 'echo once; ipp-run ids; exit 3'
	[ "$status" -eq 3 ]
	[ "$(grep -c once <<<"$output")" -eq 1 ]
	[ "$(grep -oE 'rank=[0-9]+' <<<"$output" | sort)" = $'rank=0\nrank=1\nrank=2\nrank=3' ]
	[[ $output == *host=n1* && $output == *host=n2* ]]
}

@test "an option cut short works, and so does an option of srun after it" {
	run_srun --ipp-eng=2 -n2 -N1 bash -c 'ipp-run ids | wc -l'
	[ "$status" -eq 0 ]
	[ "$output" = 2 ]
}

@test "options of the command are not taken for srun's" {
	run_srun -n1 --ipp-engines echo --mpi=none --multi-prog --pty
	[ "$status" -eq 0 ]
	[ "$output" = "--mpi=none --multi-prog --pty" ]
}

@test "with --ipp-engines=N the other tasks have none, and end with the rest" {
	run_srun -N2 -n4 --ipp-engines=2 bash -c 'ipp-run ids | wc -l'
	[ "$status" -eq 0 ]
	[ "$output" = 2 ]
}

@test "an explicit --mpi=pmix, and one task on each node, work" {
	run_srun -N2 -n2 --mpi=pmix --ipp-engines bash -c 'ipp-run ids | wc -l'
	[ "$status" -eq 0 ]
	[ "$output" = 2 ]
}

@test "it works with --export=NONE" {
	run_srun -N2 -n2 --export=NONE --ipp-engines "$IPP_TEST_CLUSTER/prefix/bin/ipp-run" ids
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
}

@test "it works where slurm.conf cannot be read and slurmctld not be asked" {
	run_srun -N1 -n2 --export=ALL,SLURM_CONF=/nosuch --ipp-engines bash -c 'ipp-run ids | wc -l'
	[ "$status" -eq 0 ]
	[ "$output" = 2 ]
}

@test "the command sees nothing of PMIx, of the plugin and of the launcher" {
	run_srun -n2 --ipp-engines env
	[ "$status" -eq 0 ]
	grep '^IPP_CONNECT=unix:@slurm-ipp/' <<<"$output"
	run ! grep -E '^(PMIX?_|SLURM_PMIX|SLURM_SPANK__|IPP_LAUNCH|SLURM_IPP|SLURM_STDINMODE|SLURM_MPI_TYPE)' <<<"$output"
}

@test "the command is the task itself: parent, descriptors, signals, argv, limits, directory" {
	local probe='ps -o comm= -p $PPID; ls /proc/self/fd | wc -l; grep -E "Sig(Blk|Ign)" /proc/self/status
		tr "\0" "\n" </proc/$$/cmdline | head -n 1; ulimit -a; pwd; pgrep -P $$ ipp || true'
	local plain
	plain=$(as alice head srun -N1 -n1 bash -c "$probe")
	run_srun -N1 -n1 --ipp-engines bash -c "$probe"
	[ "$status" -eq 0 ]
	diff <(echo "$plain") <(echo "$output")
}

@test "controller and engine beside the command are neither its children nor in its session" {
	run_srun -N1 -n1 --ipp-engines bash -c 'ps -o sid= -p $$
		for program in controller guard; do ps -o sid=,ppid= -p "$(pgrep -x ipp-$program)"; done'
	[ "$status" -eq 0 ]
	local own controller guard parent
	{
		read -r own
		read -r controller parent
		[ "$controller" -ne "$own" ]
		[ "$parent" -eq 1 ]
		read -r guard parent
		[ "$guard" -ne "$own" ]
		[ "$parent" -eq 1 ]
	} <<<"$output"
}

@test "30 MB on stdin reach the command alone" {
	head -c 30M /dev/zero >"$BATS_TEST_TMPDIR/input"
	run as alice head timeout 60 srun -N2 -n4 --ipp-engines wc -c <"$BATS_TEST_TMPDIR/input"
	[ "$status" -eq 0 ]
	[ "$output" = 31457280 ]
}

@test "--pty gives the command a terminal, on either side of --ipp-engines" {
	local side
	for side in "--pty --ipp-engines" "--ipp-engines --pty"; do
		# shellcheck disable=SC2086
		run cluster run "$IPP_TEST_CLUSTER" -t -- srun -N2 -n2 $side bash -c 'tty; ipp-run ids | wc -l; exit 7'
		[ "$status" -eq 7 ]
		[[ $output == */dev/pts/* ]]
		grep -x "2.\?" <<<"$output"
	done
}

@test "the death of an engine does not change srun's exit code" {
	run_srun -N1 -n2 --ipp-engines bash -c 'pkill -KILL -x ipp-engine; exit 3'
	[ "$status" -eq 3 ]
}

@test "an engine that is stopped on another node does not hold up srun" {
	# shellcheck disable=SC2016
	run timeout 30 "$slurm_tests/cluster" run "$IPP_TEST_CLUSTER" -u alice -w head -- \
		srun -N2 -n2 --ipp-engines bash -c '
			ipp-run apply --targets 1 -- sh -c "echo >stopped; kill -STOP \$(pgrep -x ipp-engine)" &
			until [ -e stopped ]; do sleep 0.05; done
			exit 5'
	[ "$status" -eq 5 ]
}

@test "a death by signal of the command is srun's exit code, too" {
	run_srun -N2 -n2 --ipp-engines bash -c 'kill -9 $$'
	[ "$status" -eq 137 ]
}

@test "what runs besides the command is gone when srun returns, without a word" {
	local n_tasks
	for n_tasks in 1 2 4; do
		run_srun -N1-2 -n$n_tasks --ipp-engines true
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		nothing_is_left
	done
}

@test "a controller that is slow to end still says goodbye to the engines on other nodes" {
	run_srun -N2 -n2 --ipp-engines bash -c 'pkill -STOP -x ipp-controller
		(exec >/dev/null 2>&1; sleep 0.2; pkill -CONT -x ipp-controller) &'
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "kill -9 of the command ends everything on all nodes" {
	start_as alice head srun -N2 -n4 --ipp-engines sleep 611
	wait_until 20 as root n1 pgrep -xf '/usr/bin/sleep 611'
	as root n1 pkill -KILL -xf '/usr/bin/sleep 611'
	wait_until 5 nothing_is_left
	wait "$started" || true
}

@test "scancel ends everything on all nodes" {
	start_as alice head srun -N2 -n4 --job-name=to-cancel --ipp-engines sleep 612
	wait_until 20 as root n1 pgrep -xf '/usr/bin/sleep 612'
	as alice head scancel --name=to-cancel
	wait_until 5 nothing_is_left
	wait "$started" || true
}

@test "kill -9 of the controller is told, and ends everything" {
	run_srun -N2 -n2 --ipp-engines bash -c 'pkill -KILL -x ipp-controller; exit 4'
	[ "$status" -eq 4 ]
	[[ $output == *"lost the controller"* ]]
	wait_until 5 nothing_is_left
}

@test "a rank that does not come is named with its node, and so is every other one" {
	local home=$IPP_TEST_CLUSTER/home/alice
	printf '#!/bin/sh\n[ "$SLURM_NODEID" = 0 ] || exec sleep 613\n' >"$home/late"
	chmod 755 "$home/late"
	run_srun -N2 -n4 --ntasks-per-node=2 --ipp-timeout=2 --task-prolog=/home/alice/late --ipp-engines true
	[ "$status" -eq 125 ]
	[[ $output == *"only 2 of 4 ranks"*"missing rank 2 on n2, rank 3 on n2;"* ]]
	[ "$(grep -c ipp: <<<"$output")" -eq 1 ]
}

@test "when rank 0 does not come, another rank says so, once" {
	local home=$IPP_TEST_CLUSTER/home/alice
	printf '#!/bin/sh\n[ "$SLURM_PROCID" != 0 ] || exec sleep 614\n' >"$home/late0"
	chmod 755 "$home/late0"
	run_srun -N2 -n4 --ipp-timeout=1 --task-prolog=/home/alice/late0 --ipp-engines true
	[ "$status" -ne 0 ]
	[[ $output == *"rank 0 did not show up in time"* ]]
	[ "$(grep -c ipp: <<<"$output")" -eq 1 ]
}

@test "an engine that cannot reach the controller is named, within the time given" {
	as root n1 ip link add lonely0 type veth peer name lonely1
	as root n1 ip addr add 192.0.2.1/24 dev lonely0
	as root n1 ip link set lonely0 up
	as root n1 ip link set lonely1 up
	run_srun -N2 -n2 --ipp-timeout=3 --ipp-interface=lonely0 --ipp-engines true
	as root n1 ip link del lonely0
	[ "$status" -eq 125 ]
	[[ $output == *"1 of 2 engines"*"rank 1 on n2"* ]]
}

@test "nodes without ipp-launch are named, at once where all lack it" {
	hide_programs_on n1
	hide_programs_on n2
	run_srun -N2 -n4 --ipp-engines true
	show_programs_on n1
	show_programs_on n2
	[ "$status" -eq 125 ]
	[[ $output == *"ipp: --ipp-engines on n1: cannot run $IPP_TEST_CLUSTER/prefix/libexec/slurm-ipp/ipp-launch: No such file"* ]]
	[ "$(grep -c 'ipp: --ipp-engines on' <<<"$output")" -eq 2 ]
}

@test "one node without ipp-launch does not hang the others" {
	hide_programs_on n2
	run_srun -N2 -n4 --ntasks-per-node=2 --ipp-timeout=2 --ipp-engines true
	show_programs_on n2
	[ "$status" -eq 125 ]
	[[ $output == *"on n2: cannot run "*"ipp-launch"* ]]
	[[ $output == *"missing rank 2 on n2, rank 3 on n2"* ]]
}

@test "ports= is where the controller listens" {
	with_arguments ports=45000-45009 list_listeners -N2 -n2
	run ! grep -vE ':4500[0-9] ' <<<"$listeners"
}

@test "with an interface nothing listens elsewhere" {
	list_listeners -N2 -n2 --ipp-interface=eth0
	run ! grep -vE '(10\.213\.0\.11|\[fd00:213::11\]):' <<<"$listeners"
}

@test "the user's --ipp-interface goes before the site's interface=" {
	run with_arguments interface=nosuch0 as alice head srun -N2 -n2 --ipp-interface=eth0 --ipp-engines true
	[ "$status" -eq 0 ]
	run with_arguments interface=nosuch0 as alice head srun -N2 -n2 --ipp-engines true
	[ "$status" -eq 125 ]
	[[ $output == *nosuch0*eth0* ]]
}

@test "a wrong argument in plugstack.conf is named to those who use the option, and to them alone" {
	local wrong
	for wrong in colour=red ports=9 ports=9-8 timeout=0 libexec=bin; do
		run with_arguments "$wrong" as alice head srun -n1 --ipp-engines true
		[ "$status" -eq 255 ]
		[[ $output == *"'$wrong'"*plugstack.conf* ]]
		run with_arguments "$wrong" as alice head srun -n1 echo fine
		[ "$status" -eq 0 ]
		[ "$output" = fine ]
	done
}

@test "without the option the plugin does nothing" {
	local without with
	with=$(as alice head srun -n1 bash -c 'compgen -e; tr "\0" " " </proc/$$/cmdline')
	mv "$IPP_TEST_CLUSTER/prefix/etc/slurm/plugstack.conf.d/ipp.conf" "$BATS_TEST_TMPDIR"
	without=$(as alice head srun -n1 bash -c 'compgen -e; tr "\0" " " </proc/$$/cmdline')
	mv "$BATS_TEST_TMPDIR/ipp.conf" "$IPP_TEST_CLUSTER/prefix/etc/slurm/plugstack.conf.d/"
	[ -n "$with" ]
	diff <(echo "$without") <(echo "$with")
}

@test "srun --help shows the options" {
	run as alice head srun --help
	[[ $output == *"--ipp-engines"*"[ipp]"*"[=N]"*"--ipp-timeout"*"--ipp-interface"* ]]
}

@test "a script that the first node alone sees runs on both, and each engine keeps its shell" {
	as root n1 mount -t tmpfs -o mode=1777 none /mnt
	run_srun -N2 -n2 --ipp-engines bash -c '
		cd /tmp
		printf "#!/bin/sh\necho \$1 on \$(hostname)\n" >/mnt/script
		ipp-run run /mnt/script runs
		ipp-run execute "cd /; here=\$(hostname)"
		ipp-run execute "echo \$PWD \$here"'
	as root n1 umount /mnt
	[ "$status" -eq 0 ]
	[ "$output" = $'runs on n1\nruns on n2\n/ n1\n/ n2' ]
}
