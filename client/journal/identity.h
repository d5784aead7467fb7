/* client/journal/identity.h - what makes a map the one that a journal is of.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_JOURNAL_IDENTITY_H
#define IPP_CLIENT_JOURNAL_IDENTITY_H

#include "client/ipp/client.h"
#include "client/journal/digest.h"

#define IDENTITY_LABEL_BYTES 80

struct identity {
	uint8_t digest[DIGEST_BYTES];
	char label[IDENTITY_LABEL_BYTES]; /* what a person knows it by */
};

/* Of the map `run`: its command, or its function with the bytes of its module, and its arguments;
 * and of the variables that it reads.  Not of its items, which are compared one by one, nor of what
 * says where and when tasks run.  0 or -errno of reading files, -ENOMEM. */
int identity_init(struct identity *out, const struct ipp_run *run,
		  const struct ipp_argument *variables, size_t n_variables, struct ipp_error *err);

#endif
