/* client/direct.h - what apply, execute and run share: something done once on each target, and what
 * each wrote, in the order of the targets. */
#ifndef IPP_CLIENT_DIRECT_H
#define IPP_CLIENT_DIRECT_H

#include "client/after.h"
#include "client/verb.h"

struct direct {
	const char *targets; /* as typed; NULL: all */
	uint64_t engines;
	uint32_t task_timeout_ms;
	struct after after;
	uint32_t wait_ms;
	bool async, json;
};

/* The options below; the verb's own words begin at argv[optind].  0, or the exit code of what was
 * said. */
int direct_options(struct direct *direct, const struct verb *verb, int argc, char **argv);

/* Run `what` with these targets, directory and time-out, and print what comes; an exit code. */
int direct_run(const struct direct *direct, const struct ipp_run *what);

#define DIRECT_OPTIONS                                                                             \
	"  --targets LIST  which engines: all (the default), or such as 0,2-5\n"                   \
	"  --engines N     where there is no cluster: start N engines on this machine\n"           \
	"  --task-timeout SECONDS  kill it on an engine where it runs longer\n" AFTER_HELP         \
	"  --json          for programs: an object a line and engine, as of map\n"                 \
	"  --async         leave it behind and print its id, for ipp-run result, wait and cancel\n"

#endif
