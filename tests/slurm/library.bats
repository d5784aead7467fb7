#!/usr/bin/env bats
# libipp and modules across nodes, each of which has a /tmp of its own.

# shellcheck disable=SC2154,SC2016      # variables of helper.bash; $ is for the shell on the node
load helper
load installed

examples=$BATS_TEST_DIRNAME/../../contrib/examples

# The examples, built against the installed library, in a folder that all nodes see
build_examples()
{
	local prefix=$IPP_TEST_CLUSTER/prefix flags=() build
	build=$(basename "${B:-build/release}") # a library with sanitizers wants programs that have them
	[ "$build" = release ] || flags+=(-fsanitize="${build//-/,}")
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
	built=$IPP_TEST_CLUSTER/examples
	mkdir -p "$built"
	# shellcheck disable=SC2046     # flags are words
	cc "${flags[@]}" -shared -fPIC -o "$built/module.so" "$examples/module.c" $(pkg-config --cflags libipp)
	# shellcheck disable=SC2046
	cc "${flags[@]}" -Wl,-rpath,"$prefix/lib" -o "$built/client" "$examples/client.c" $(pkg-config --cflags --libs libipp)
	chmod -R a+rX "$built"
}

@test "a module that only the first node sees runs on the other one" {
	build_examples
	run_srun -N2 -n2 --ipp-engines sh -c 'cp '"$built"'/module.so /tmp/only-here.so &&
		ipp-run apply -- sh -c "test -e /tmp/only-here.so && echo seen || echo not seen"
		ipp-run map /tmp/only-here.so:square ::: 1 2 3
		ipp-run apply /tmp/only-here.so:mean; rm /tmp/only-here.so'
	[ "${lines[0]}" = seen ]
	[ "${lines[1]}" = "not seen" ]
	[ "${lines[*]:2:3}" = "1 4 9" ]
	[ "${lines[5]}" = "ipp-run: engine 0 of n1: there is no x here: ipp-run push x=@FILE.npy" ]
	[ "${lines[6]}" = "ipp-run: engine 1 of n2: there is no x here: ipp-run push x=@FILE.npy" ]
}

@test "the example client drives engines on two nodes" {
	build_examples
	run_srun -N2 -n4 --ntasks-per-node=2 --ipp-engines "$built/client" "$built/module.so"
	[ "$status" -eq 0 ]
	[[ $output == *"sum of squares: 332833500"* ]]
	[ "$(grep -c 'engine [0-3]: mean 2.5' <<<"$output")" = 4 ]
	[ "$(grep -c '  on n1 after' <<<"$output")" = 2 ]
	[ "$(grep -c '  on n2 after' <<<"$output")" = 2 ]
	[[ $output == *"commands: 5 well, 5 failed"* ]]
}
