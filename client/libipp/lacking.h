/* client/libipp/lacking.h - which engines have no such variable, for a sentence.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_LIBIPP_LACKING_H
#define IPP_CLIENT_LIBIPP_LACKING_H

#include <stddef.h>
#include <stdint.h>

struct ipp_error;

struct lacking {
	size_t n;
	char text[160]; /* "1, 3 and 5" */
	uint32_t last;
};

/* All zero at the beginning. */
void lacking_add(struct lacking *lacking, uint32_t rank);

/* -ENOENT: they lack variable `name`; there is at least one. */
int lacking_fail(struct lacking *lacking, const char *name, struct ipp_error *err);

#endif
