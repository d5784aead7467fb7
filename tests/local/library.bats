#!/usr/bin/env bats
# libipp and the examples, built with pkg-config against what make install put under a prefix.

load helper

root=$BATS_TEST_DIRNAME/../..
examples=$root/contrib/examples

setup_file()
{
	export prefix=$BATS_FILE_TMPDIR/prefix
	make --no-print-directory -C "$root" -o all install B="${B:-build/release}" prefix="$prefix" \
		plugindir="$prefix/slurm" sysconfdir="$prefix/etc"
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
	build "$BATS_FILE_TMPDIR"
}

# add_sanitizers: to flags, those that the library has
add_sanitizers()
{
	local sanitizers=${programs##*/}
	[ "$sanitizers" = release ] || flags+=(-fsanitize="${sanitizers//-/,}")
}

# build FOLDER: as the comments in the examples say
build()
(
	local flags=(-Wall -Wextra -Werror)
	add_sanitizers
	cd "$1" || return
	# shellcheck disable=SC2046 # flags are words
	cc "${flags[@]}" -shared -fPIC -o module.so "$examples/module.c" $(pkg-config --cflags libipp)
	# shellcheck disable=SC2046
	cc "${flags[@]}" -o client "$examples/client.c" $(pkg-config --cflags --libs libipp)
	# shellcheck disable=SC2046
	cc "${flags[@]}" -o static "$examples/client.c" $(pkg-config --cflags libipp) "$prefix/lib/libipp.a" \
		$(pkg-config --libs --static libipp | sed 's/-lipp//')
)

installed()
{
	PATH=$prefix/bin:$PATH
	export LD_LIBRARY_PATH=$prefix/lib
}

# The program's own lines; how many engines there are depends on the machine.
well()
{
	show
	[ "$status" = 0 ]
	[ "${lines[0]}" = "sum of squares: 332833500" ]
	[ "${lines[1]}" = "engine 0: mean 2.5" ]
	[ "${lines[-2]}" = "commands: 5 well, 5 failed" ]
	[ "${lines[-1]}" = "the endless one has ended: no" ]
}

@test "the example client drives engines of its own, found by the ipp-run in the PATH" {
	installed
	run --separate-stderr "$BATS_FILE_TMPDIR/client" "$BATS_FILE_TMPDIR/module.so"
	well
	wait_until 5 none_left
}

@test "the example client uses the cluster that runs" {
	installed
	start 3
	run --separate-stderr "$BATS_FILE_TMPDIR/client" "$BATS_FILE_TMPDIR/module.so"
	well
	[ "${#lines[@]}" = 6 ]
	ipp-run stop
}

@test "the static library does as well" {
	installed
	run --separate-stderr "$BATS_FILE_TMPDIR/static" "$BATS_FILE_TMPDIR/module.so"
	well
}

@test "the example module is used from the shell, by a relative path and from another folder" {
	installed
	start 2
	cd "$BATS_FILE_TMPDIR"
	ipp map ./module.so:square ::: 1 2.5 3
	show
	[ "$output" = $'1\n6.25\n9' ]
	ipp map ./module.so:scale w=@"$data/Y.npy" 1:3
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[1]} == "array <f8 (500,), 4000 bytes: ["* ]]
	ipp map ./module.so:square @"$data/Y.npy"
	[ "${#lines[@]}" = 500 ]
	ipp map ./module.so:mean @"$data/X.npy"
	show
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 500 ]
	ipp apply ./module.so:mean
	[ "$status" = 2 ]
	[ "${stderr_lines[0]}" = "ipp-run: engine 0 of $host: there is no x here: ipp-run push x=@FILE.npy" ]
	ipp-run stop
}

@test "the example of the header and the manual takes ranges and words" {
	installed
	sed -n '/^ \*\t#include/,/^ \*\t}/s/^ \*\t\{0,1\}//p' "$root/engine/ipp/module.h" >square.c
	diff square.c <(sed -n '/^#include/,/^}/p' "$root/docs/man/ipp-module.3" | unexpand)
	local flags=()
	add_sanitizers
	# shellcheck disable=SC2046
	cc "${flags[@]}" -shared -fPIC -o square.so square.c $(pkg-config --cflags libipp)
	start 1
	for items in 1:4 '::: 1 2 3'; do
		# shellcheck disable=SC2086 # items are words
		ipp map ./square.so:square $items
		show
		[ "$status" = 0 ]
		[ "$output" = $'1\n4\n9' ]
	done
	ipp apply ./square.so:square
	[ "$output" = 0 ]
	ipp-run stop
}

@test "libipp exports what ipp/client.h declares, and nothing else" {
	declared=$(cc -E -P -I"$prefix/include" "$prefix/include/ipp/client.h" |
		grep -oE '\bipp_[a-z_]+\(' | grep -vE '^ipp_(argument|variable|item|index|state|return.*|fail_call|need_argument|store|function)\(' |
		tr -d '(' | sort -u)
	[ "$(grep -c . <<<"$declared")" -gt 20 ]
	exported=$(nm -D --defined-only --format=posix "$prefix/lib/libipp.so.0" | sed 's/@.*//; s/ .*//' |
		grep -v '^LIBIPP' | sort -u)
	diff <(echo "$declared") <(echo "$exported")
	diff <(echo "$declared") <(nm -g --defined-only --format=posix "$prefix/lib/libipp.a" |
		sed -n 's/^\(ipp_[a-z_]*\) T.*/\1/p' | sort -u)
	[ "$(nm -g --defined-only --format=posix "$prefix/lib/libipp.a" | grep -c ' [TDBR] ')" = "$(wc -l <<<"$declared")" ]
	[[ $(objdump -p "$prefix/lib/libipp.so.0") == *"SONAME "*"libipp.so.0"* ]]
}

@test "the public headers stand alone and are plain C11" {
	for header in error module client; do
		echo "#include <ipp/$header.h>" >it.c
		cc -std=c11 -Wall -Wextra -Werror -pedantic -I"$prefix/include" -fsyntax-only it.c
	done
}

@test "ipp-run talks to clusters by ipp/client.h alone" {
	cd "$root"
	# Apart from the library and its own helpers: files, numbers, descriptors and error texts.
	run grep -nE '#include "(launcher|controller|client/libipp)/|#include "proto/' client/*.[ch] client/verbs/*.c
	show
	left=$(grep -vE 'proto/(array_file|error|json_text|npy|row_items|sealed|standard_fds|template|variable)\.h' <<<"$output" || true)
	[ "$left" = "" ]
}

@test "modules of ours are written against the public headers, and what they are made of" {
	cd "$root"
	run grep -nE '#include "' -r engine/modules
	show
	[ "$(wc -l <<<"$output")" -gt 5 ]
	left=$(grep -vE '"engine/(modules|forest)/' <<<"$output" || true)
	[ "$left" = "" ]
}

@test "the manuals name each function of the public headers" {
	cd "$root"
	local name
	while read -r name; do
		echo "$name"
		grep -qE "^\.(It )?Fn .*\b$name\b" docs/man/libipp.3
	done < <(sed -nE 's/^[a-z][a-z0-9_ *]*[ *](ipp_[a-z_]+)\(.*/\1/p' client/ipp/client.h)
	while read -r name; do
		echo "$name"
		grep -qE "^\.It Fn $name\b" docs/man/ipp-module.3
	done < <(sed -nE 's/^static inline .*[ *](ipp_[a-z_]+)\(.*/\1/p' engine/ipp/module.h)
}

@test "docs/wire.md names each field of each message" {
	cd "$root"
	local message field
	while read -r message field; do
		echo "$message: $field"
		grep -E "^\| ([A-Z][a-z]+, )*$message(,[^|]*)? \|" docs/wire.md | grep -qF "\`$field\`"
	done < <(awk '/^message/ { message = $2 } /^}/ { message = "" }
		message && match($0, /[a-z_]+ = [0-9]+;/) { print message, substr($0, RSTART, index(substr($0, RSTART), " ") - 1) }' \
		proto/ipp.proto)
}

@test "a client that submits thousands of requests and stops costs the controller a bounded amount of memory" {
	cat >stops.c <<-'END'
		#include <ipp/client.h>
		#include <signal.h>
		#include <stdio.h>

		enum { N = 2000 };

		int main(void)
		{
			static struct ipp_request *requests[N];
			const uint32_t targets[] = {0, 1};
			const char *const argv[] = {"head", "-c", "60000", "/dev/zero", NULL};
			const struct ipp_run run = {.targets = targets, .n_targets = 2, .argv = argv};
			const struct ipp_errand pull = {.what = IPP_PULL, .targets = targets, .n_targets = 2, .name = "v"};
			const struct ipp_connect options = {0};
			const struct ipp_result *result;
			struct ipp_client *client;
			struct ipp_error err;
			size_t bytes = 0;
			short events;

			if (ipp_connect(&client, &options, &err) < 0)
				return 1;
			for (int i = 0; i < N; i++)
				if ((i % 10 ? ipp_submit_errand(client, &pull, &requests[i], &err)
					    : ipp_submit(client, &run, &requests[i], &err)) < 0)
					return 2;
			while (ipp_fd(client, &events) >= 0 && events & 4) /* POLLOUT: some is not sent yet */
				ipp_dispatch(client);
			raise(SIGSTOP);
			for (int i = 0; i < N; i++)
				while (ipp_next(requests[i], -1, &result, &err) == 1)
					bytes += result->out_bytes + result->value.bytes;
			printf("%zu\n", bytes);
			ipp_disconnect(client);
			return 0;
		}
	END
	local flags=(-Wall -Werror -I"$root/client" -I"$root/engine")
	add_sanitizers
	cc "${flags[@]}" -o stops stops.c "$programs/libipp.so.0"
	head -c 60000 /dev/zero | tr '\0' x >text
	ASAN_OPTIONS=quarantine_size_mb=16 start 2 # what is measured is what is kept
	ipp-run push v=@text
	controller=$(ours ipp-controller)
	LD_LIBRARY_PATH=$programs ./stops >bytes &
	client=$!
	wait_until 30 is_stopped $client
	wait_until 30 is_calm "$controller"
	memory "$controller"
	(($(memory "$controller") < 150000)) # of 240 MB
	ipp apply -- echo well
	[ "$output" = $'well\nwell' ]
	ipp-run push w=1
	ipp map -- echo ::: a b
	[ "$output" = $'a\nb' ]
	memory "$controller"
	(($(memory "$controller") < 150000))
	kill -CONT $client
	wait $client
	[ "$(cat bytes)" = 240000000 ]
	ipp-run stop
}
is_stopped() { [[ $(ps -o stat= -p "$1") == T* ]]; }

# kilobytes of physical memory that a process has to itself
memory() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }

# is_calm PID: it has used no CPU for half a second
is_calm()
{
	local before
	before=$(awk '{ print $14 + $15 }' "/proc/$1/stat")
	IPP_TEST_MARK="" command sleep 0.5
	[ "$before" = "$(awk '{ print $14 + $15 }' "/proc/$1/stat")" ]
}

@test "the headers are C++ too" {
	command -v g++ || skip "no g++"
	cat >both.cc <<-'END'
		#include <ipp/client.h>
		#include <ipp/module.h>

		IPP_MODULE

		extern "C" int one(struct ipp_call *call) { return ipp_return_integer(call, 1); }
		int main() { return ipp_local_cpus() == 0; }
	END
	local flags=(-Wall -Werror -I"$root/client" -I"$root/engine")
	add_sanitizers
	g++ "${flags[@]}" -o both both.cc "$programs/libipp.so.0"
	LD_LIBRARY_PATH=$programs ./both
	g++ "${flags[@]}" -shared -fPIC -o both.so both.cc "$programs/libipp.so.0"
	LD_LIBRARY_PATH=$programs run -0 ipp-run apply --engines 2 ./both.so:one
	[ "$output" = $'1\n1' ]
}
