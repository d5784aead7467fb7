/* tests/unit/runtimes.h - a call and what comes of it, for tests of what runs commands. */
#ifndef IPP_TESTS_RUNTIMES_H
#define IPP_TESTS_RUNTIMES_H

#include <event2/buffer.h>

#include "engine/runtime.h"
#include "proto/error.h"

static Ipp__Call call;
static struct outcome outcome;
static struct ipp_error err;

static int setup(void **state)
{
	(void)state;
	ipp__call__init(&call);
	outcome = (struct outcome){.out = evbuffer_new(), .err = evbuffer_new()};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	outcome_reset(&outcome);
	evbuffer_free(outcome.out);
	evbuffer_free(outcome.err);
	return 0;
}

#endif
