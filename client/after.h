/* client/after.h - what is said of requests that must have ended before another begins:
 * [any:][failed:|ended:]ID[,ID...]. */
#ifndef IPP_CLIENT_AFTER_H
#define IPP_CLIENT_AFTER_H

#include <stddef.h>
#include <stdint.h>

#include "client/ipp/client.h"

#define AFTER_MAX 64

/* All zero: nothing was said. */
struct after {
	uint64_t ids[AFTER_MAX];
	size_t n;
	struct ipp_condition condition;
};

/* Take the value of `option`, such as --after, which may come again: then it says more ids for the
 * same condition.  0 or -EINVAL. */
int after_take(struct after *after, const char *option, const char *text, struct ipp_error *err);

#define AFTER_HELP                                                                                 \
	"  --after [any:][failed:|ended:]ID[,ID...]\n"                                             \
	"                        begin once those requests have ended well; any: one of them;\n"   \
	"                        failed: once they failed or were cancelled; ended: either\n"      \
	"  --after-timeout SECONDS  give up waiting for that then\n"

#endif
