/* engine/namespace.h - an engine's variables: what was pushed to it, and what its functions stored.
 *
 * The bytes of arrays stay in the sealed memory they came in, which workers and neighbours map, and
 * answers to PULL carry, without a copy.  Thread: loop thread only. */
#ifndef IPP_ENGINE_NAMESPACE_H
#define IPP_ENGINE_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/link.h"

struct named {
	struct named *next;
	Ipp__Push *push; /* its value; also what workers are told */
	struct blob *payload;
};

struct namespace
{
	struct named *first; /* by name */
};

void namespace_clear(struct namespace *names);

/* Set a variable, in place of an older one of that name (takes `push`, also when it fails;
 * references `payload`).  The value was checked.  0 or -ENOMEM. */
int namespace_set(struct namespace *names, Ipp__Push *push, struct blob *payload);

/* Whether there was one. */
bool namespace_remove(struct namespace *names, const char *name);

/* The number of the push that set variable `name`; 0: none did, a function stored it or it is not
 * there. */
uint64_t namespace_serial(const struct namespace *names, const char *name);

/* The variable that push number `serial` set, if it is still that; else NULL. */
const struct named *namespace_of_serial(const struct namespace *names, uint64_t serial);

/* Tell a new worker all of them. */
void namespace_tell(const struct namespace *names, struct link *worker);

/* Answer a PULL or a LIST with a RESULTS. */
void namespace_pull(const struct namespace *names, const Ipp__Pull *pull, uint32_t rank,
		    struct link *link);
void namespace_list(const struct namespace *names, const Ipp__List *list, uint32_t rank,
		    struct link *link);

#endif
