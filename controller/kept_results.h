/* controller/kept_results.h - the RESULTS of a detached request, frame by frame as they came, for
 * whoever fetches them.
 *
 * In memory as long as all requests of the cluster together keep no more than KEPT_MEMORY_MAX
 * there, then in an unlinked file in $TMPDIR, one for each request.  Thread: loop thread only. */
#ifndef IPP_CONTROLLER_KEPT_RESULTS_H
#define IPP_CONTROLLER_KEPT_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/link.h"

struct ipp_error;
struct kept_results;

#define KEPT_MEMORY_MAX (64u << 20)

/* A place between two of the frames; all zero is the beginning. */
struct kept_place {
	size_t frame; /* in memory */
	off_t offset; /* in the file */
};

/* Empty (gives); NULL when out of memory.  *memory_bytes (borrowed) counts what all of them keep
 * there. */
struct kept_results *kept_results_new(size_t *memory_bytes);
void kept_results_free(struct kept_results *kept); /* NULL is fine */

/* Behind the last one (references its payload).  -ENOMEM; or why $TMPDIR takes no more. */
int kept_results_add(struct kept_results *kept, const struct frame *frame, struct ipp_error *err);

struct kept_place kept_results_end(const struct kept_results *kept);
bool kept_place_before(const struct kept_place *a, const struct kept_place *b);

/* Send the frame at *place, which is not the end, and move it on.  0, or the file cannot be read.
 *   fetch  the number that the frame gets
 *   heads  without its payload */
int kept_results_send(const struct kept_results *kept, struct kept_place *place, struct link *link,
		      uint64_t fetch, bool heads, struct ipp_error *err);

#endif
