#!/usr/bin/env bats
# The forest's bits do not depend on who compiled it, nor how.

load helper

# build NAME COMPILER...: $NAME prints the hashes; the flags that any build of ours has come first
build()
{
	local name=$1
	shift
	mkdir "$name"
	printf '%s\n' "$source"/engine/forest/*.c "$source"/proto/error.c "$source"/tests/local/forest_bits.c |
		(cd "$name" && xargs -P 2 -n 1 "$@" -std=c11 -D_GNU_SOURCE -I"$source" -I"$source/engine" -I"$source/client" -ffp-contract=off -c)
	"$1" -o "$name/bits" "$name"/*.o -lm
}

@test "gcc and clang at -O0 and -O3 give the same forests, to the last bit, on every vector path" {
	command -v clang >/dev/null || skip "no clang"
	source=$(dirname "$(realpath "$BATS_TEST_FILENAME")")/../..
	build gcc-O0 gcc -O0
	build gcc-O3 gcc -O3 -march=native
	build clang-O0 clang -O0
	build clang-O3 clang -O3
	for name in gcc-O0 gcc-O3 clang-O0 clang-O3; do
		run -0 "$name/bits"
		echo "$name: $output"
		[ "${#lines[@]}" = 3 ]
		[ "${lines[0]}" = "${expected:=${lines[0]}}" ]
		[ "${lines[1]}" = "$expected" ]
		[ "${lines[2]}" = "$expected" ]
	done
}
