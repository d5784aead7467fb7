/* engine/variables.h - named values: a worker's namespace, or the arguments of a call.
 *
 * Array bytes stay where they arrived.  Thread: the worker's only one. */
#ifndef IPP_ENGINE_VARIABLES_H
#define IPP_ENGINE_VARIABLES_H

#include <stddef.h>

#include "engine/ipp/module.h"
#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

struct variables;

struct variables *variables_new(void);		  /* gives; NULL when out of memory */
void variables_free(struct variables *variables); /* NULL is fine */

/* Set one, in place of an older one of that name (borrows `value`, references `payload`).
 *   *offset  where the bytes of an array begin in the payload; moved behind them
 * 0, -EPROTO when the array passes the payload's end, -ENOMEM. */
int variables_set(struct variables *variables, const Ipp__Value *value, struct blob *payload,
		  size_t *offset);

/* Forget one, if it is there. */
void variables_remove(struct variables *variables, const char *name);

/* Valid until it is set again or removed; NULL when there is none. */
const struct ipp_value *variables_get(const struct variables *variables, const char *name);

#endif
