#!/usr/bin/env bats
# make install and make uninstall; what is installed is run by the tests in tests/slurm.

bats_require_minimum_version 1.5.0 # for: run !
root=$BATS_TEST_DIRNAME/../..

make_at()
{
	make --no-print-directory -C "$root" -o all "$1" DESTDIR="$BATS_TEST_TMPDIR/stage" prefix=/opt/ipp \
		bindir=/opt/ipp/bin libexecdir=/opt/ipp/libexec includedir=/opt/ipp/include \
		plugindir=/opt/slurm/lib sysconfdir=/opt/slurm/etc
}

@test "everything is installed below DESTDIR, where it was asked for" {
	cd "$BATS_TEST_TMPDIR"
	make_at install
	[ "$(ls)" = stage ]
	cd stage
	local program
	for program in launch controller guard engine worker run; do
		[ -x "opt/ipp/libexec/ipp-$program" ]
	done
	[ -e opt/slurm/lib/spank_ipp.so ]
	[ "$(readlink opt/ipp/bin/ipp-run)" = ../libexec/ipp-run ]
	[ -e opt/ipp/bin/ipp-controller ]
	[ -e opt/ipp/bin/ipp-engine ]
	[ -e opt/ipp/include/ipp/module.h ]
	[ -e opt/ipp/include/ipp/client.h ]
	[ "$(readlink opt/ipp/lib/libipp.so)" = libipp.so.0 ]
	[ -e opt/ipp/lib/libipp.so.0 ]
	grep -qx 'Cflags: -I${includedir}' opt/ipp/lib/pkgconfig/libipp.pc
	grep -qx 'prefix=/opt/ipp' opt/ipp/lib/pkgconfig/libipp.pc
	[ -e opt/ipp/share/man/man1/ipp-engine.1 ]
	[ -e opt/ipp/share/man/man3/libipp.3 ]
	[ -e opt/ipp/share/bash-completion/completions/ipp-run ]
}

@test "completion knows each verb, and each option that a verb takes" {
	local COMP_WORDS COMP_CWORD COMPREPLY verb option options said=""
	source "$root/contrib/completion/ipp-run.bash"
	ipp_run=$(realpath "$root/${B:-build/release}/ipp-run")
	COMP_WORDS=("$ipp_run" '')
	COMP_CWORD=1
	_ipp_run
	[ "$(printf '%s\n' "${COMPREPLY[@]}" | sort)" = "$(cd "$root/client/verbs" && grep -hoP '^\s*\.name = "\K[a-z]+' ./*.c | sort)" ]
	for verb in "${COMPREPLY[@]}"; do
		COMP_WORDS=("$ipp_run" "$verb" --)
		COMP_CWORD=2
		_ipp_run
		options=" ${COMPREPLY[*]} "
		[[ $options != *' --help '* ]]
		case $verb in
		apply) [[ $options == *' --after --after-timeout --async --engines --json --targets --task-timeout '* ]] ;;
		gather | pull) [ "$options" = ' --async --output --targets ' ] ;;
		loo) [[ $options == *' --x --y '* ]] ;;
		result) [ "$options" = ' --forget --no-wait --output --unordered ' ] ;;
		wait) [ "$options" = ' --engines --timeout ' ] ;;
		esac
		for option in "${COMPREPLY[@]}"; do # each is one that the verb knows
			[ "$verb" = forest ] || said=$("$ipp_run" "$verb" "$option=" </dev/null 2>&1 || true)
			[[ $said != *'is not an option'* ]]
		done
	done
}

@test "the plugstack line names plugin and programs as they will be, and is optional" {
	make_at install
	run grep -v '^#' "$BATS_TEST_TMPDIR/stage/opt/slurm/etc/plugstack.conf.d/ipp.conf"
	[ "$output" = "optional /opt/slurm/lib/spank_ipp.so libexec=/opt/ipp/libexec" ]
}

@test "uninstall removes what install put there, and nothing else" {
	make_at install
	touch "$BATS_TEST_TMPDIR/stage/opt/ipp/libexec/not-ours"
	make_at uninstall
	run find "$BATS_TEST_TMPDIR/stage" ! -type d
	[ "$output" = "$BATS_TEST_TMPDIR/stage/opt/ipp/libexec/not-ours" ]
}

@test "the plugin exports what Slurm looks for, and nothing else" {
	run nm -D --defined-only --format=posix "$root/${B:-build/release}/spank_ipp.so"
	[ "$status" -eq 0 ]
	local name _
	while read -r name _; do
		[[ $name == plugin_* || $name == spank_plugin_version || $name == slurm_spank_* ]]
	done <<<"$output"
}

@test "what of the plugin lives in Slurm's root daemons opens nothing, starts nothing, and reads no environment of theirs" {
	local object
	for object in "$root/${B:-build/release}"/spank/*.o; do
		[ "${object##*/}" != srun.o ] || continue # of srun alone, which is the user's
		run nm -u "$object"
		[ "$status" -eq 0 ]
		run ! grep -Ew '(f?open(64|at|at64)?|(secure_)?getenv|environ|socket|connect|dlopen|system|popen|v?fork|exec[a-z]+|posix_spawnp?|pthread_create)' <<<"$output"
	done
}

@test "the manual names each verb" {
	cd "$root"
	local verb
	for verb in $("${B:-build/release}/ipp-run" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		echo "$verb"
		grep -qE "^\.It Cm .*\b$verb\b" docs/man/ipp-run.1
	done
}
