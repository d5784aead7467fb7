/* client/map_options.h - what can be said of a map. */
#ifndef IPP_CLIENT_MAP_OPTIONS_H
#define IPP_CLIENT_MAP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/after.h"
#include "client/verb.h"

#define MAP_FILES_MAX 16

struct map_options {
	uint64_t engines;
	const char *targets; /* as typed; NULL: all */

	const char *files[MAP_FILES_MAX]; /* -a */
	size_t n_files;
	bool null; /* items of files end at NULs */

	bool keep_going, unordered;
	uint64_t chunk, hwm, retries;
	uint32_t task_timeout_ms, timeout_ms;
	struct after after, follow;
	uint32_t wait_ms;

	const char *joblog, *results, *journal;
	bool resume;
	bool json, progress, no_progress, dry_run;
	bool async;
};

/* Take them; the words begin at argv[optind].  0, or the exit code of what was said. */
int map_options(struct map_options *options, int argc, char **argv);

/* clang-format off */
#define MAP_OPTIONS_HELP \
	"Items:\n" \
	"  ::: ITEM...           each word; several ::: give each combination, {1}, {2} ...\n" \
	"  ::: START:STOP[:STEP] a lone range: integers from START to below STOP; a function\n" \
	"                        takes it without :::\n" \
	"  @FILE.npy             behind a function: each row of the array (its first axis)\n" \
	"  -a, --arg-file FILE   each line of it; without items, each line of stdin\n" \
	"  -0, --null            there items end at NUL bytes, not at newlines\n" \
	"Which tasks, where and when:\n" \
	"  --engines N           where there is no cluster: start N engines on this machine\n" \
	"  --targets LIST        only on these engines, such as 0,2-5\n" \
	AFTER_HELP \
	"  --follow [any:][failed:|ended:]ID[,ID...]\n" \
	"                        the same, on engines that ran some of each\n" \
	"  --chunk N|auto        hand out N tasks at once; auto: by how long they take\n" \
	"  --hwm N               let an engine have up to N tasks; 0: by how long they take\n" \
	"Failures:\n" \
	"  -k, --keep-going      a task that fails does not stop the rest\n" \
	"  --retries N           run a task that failed up to N times more\n" \
	"  --task-timeout SECONDS  kill a task that runs longer\n" \
	"  --timeout SECONDS     end the map then, with exit code 124\n" \
	"Results:\n" \
	"  -u, --unordered       as they come, not in the order of the items\n" \
	"  --json                a JSON object a line and task\n" \
	"  --joblog FILE         a line a task, in GNU parallel's columns\n" \
	"  --results FOLDER      what each wrote, in FOLDER/1/ITEM/stdout and stderr\n" \
	"  --journal FILE        keep each result in FILE as it comes, so that another run can go on\n" \
	"  --resume              go on: what FILE has is not run again, and printed in its place\n" \
	"  --progress            a progress bar on stderr even if that is no terminal\n" \
	"  --no-progress         none\n" \
	"  --dry-run             print the commands and run nothing\n" \
	"  --async               leave it behind and print its id, for ipp-run result, wait\n" \
	"                        and cancel\n"
/* clang-format on */

#endif
