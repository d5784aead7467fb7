#!/usr/bin/env bats
# --journal and --resume: what was done is not done again, however ipp-run ended.

load helper

sample=$programs/tests/modules/sample.so

# indices FILE: those in a journal, in order
indices() { ipp-run journal "$1" | tail -n +2 | cut -f1 | sort -n; }

# n_results FILE
n_results() { ipp-run journal "$1" 2>/dev/null | tail -n +2 | wc -l; }

has_results() { (($(n_results "$1") >= $2)); }

# Fails for 3 as long as there is no file "good".
# shellcheck disable=SC2016
touchy='echo x >>ran.$1; echo "$IPP_INDEX $1"; [ "$1" != 3 ] || [ -e good ]'

# ---- going on ----

@test "what failed is run again, and nothing else; the output is whole" {
	ipp map --engines 2 -k --journal j -- sh -c "$touchy" sh ::: 1 2 3 4
	show
	[ "$status" = 1 ]
	[ "$(indices j)" = $'0\n1\n3' ]
	touch good
	ipp map --engines 2 -k --journal j --resume -- sh -c "$touchy" sh ::: 1 2 3 4
	show
	[ "$status" = 0 ]
	[ "$output" = $'0 1\n1 2\n2 3\n3 4' ]
	[ "$stderr" = "" ]
	[ "$(indices j)" = $'0\n1\n2\n3' ]
	[ "$(cat ran.1 ran.2 ran.4 | wc -l)" = 3 ]
	[ "$(wc -l <ran.3)" = 2 ]
	ipp map --engines 2 --journal j --resume -- sh -c "$touchy" sh ::: 1 2 3 4
	[ "$output" = $'0 1\n1 2\n2 3\n3 4' ]
	[ "$(cat ran.* | wc -l)" = 5 ]
}

@test "a map without a journal to go on from begins one, and more items may follow" {
	ipp map --engines 1 --journal j --resume -- echo ::: a b
	[ "$output" = $'a\nb' ]
	[ "$(stat -c %a j)" = 600 ]
	ipp map --engines 1 --journal j --resume -- echo ::: a b c
	show
	[ "$output" = $'a\nb\nc' ]
	[ "$(indices j)" = $'0\n1\n2' ]
}
