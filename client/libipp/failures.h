/* client/libipp/failures.h - targets for which an errand failed, for a sentence.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_LIBIPP_FAILURES_H
#define IPP_CLIENT_LIBIPP_FAILURES_H

#include "client/ipp/client.h"
#include "proto/ipp.pb-c.h"

struct ipp_error;

#define FAILURES_NAMED_MAX 10

/* All zero at the beginning. */
struct failures {
	size_t n_lacking;		      /* they have no such variable */
	uint32_t lacking[FAILURES_NAMED_MAX]; /* the first of them, by rank */
	size_t n_other;
	uint32_t other; /* the first of these, and why */
	char why[256];
};

void failures_add_lacking(struct failures *failures, uint32_t rank);

/* Take note of a result, which may be a good one. */
void failures_add(struct failures *failures, const Ipp__Result *result);

/* 0 when there are none; -EIO names the first and says why; -ENOENT names who lacks variable
 * `name`. */
int failures_verdict(const struct failures *failures, enum ipp_work work, const char *name,
		     struct ipp_error *err);

#endif
