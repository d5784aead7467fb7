#!/usr/bin/env bats
# What is missing for a build is named, whether Debian's packages are there or not.

bats_require_minimum_version 1.5.0
root=$BATS_TEST_DIRNAME/../..

# a_command NAME <<<SCRIPT: comes first in PATH
a_command()
{
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	{
		echo '#!/bin/sh'
		cat
	} >"$BATS_TEST_TMPDIR/bin/$1"
	chmod 755 "$BATS_TEST_TMPDIR/bin/$1"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "make names the header that is missing, and its package" {
	a_command a-compiler <<<'! grep pmix.h'
	run --separate-stderr make --no-print-directory -C "$root" CC=a-compiler packages
	[ "$status" -ne 0 ]
	[[ ${stderr_lines[0]} == "slurm-ipp: cannot build: missing pmix.h; on Debian, as root: apt-get install -y libpmix-dev; "* ]]
}

@test "headers that no package brought do" {
	a_command dpkg-query <<<'exit 1'
	run make --no-print-directory -C "$root" packages
	[ "$status" -eq 0 ]
}

@test "who is not root and has no sudo is told the one command to run" {
	[ "$(id -u)" = 0 ] || skip "it takes root to become nobody"
	cp "$root/contrib/packages" "$BATS_TEST_TMPDIR"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
	a_command dpkg-query <<<'[ "$4" != jq ] && echo "install ok installed"'
	a_command sudo <<<'exit 1'
	run -1 setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/packages" install build test
	[ "$output" = "slurm-ipp: missing jq; as root, run: apt-get update && apt-get install -y jq" ]
}
