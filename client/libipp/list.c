#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/session.h"
#include "proto/value.h"

struct listing {
	uint64_t request;
	const uint32_t *targets;
	size_t n_targets;
	size_t n_done;	  /* answers given to the caller */
	Ipp__Names **all; /* answers by target; NULL: not come, or given already */
	int (*take)(void *owner, size_t place, const struct ipp_variable *variables, size_t n);
	void *owner;
	struct ipp_error *err;
	int rc;
};

static int deliver(struct listing *listing, const Ipp__Names *names)
{
	struct ipp_variable *variables;
	int rc;

	if (names->error[0])
		return ipp_fail(listing->err, EIO, "cannot list engine %u: %.300s",
				listing->targets[names->index], names->error);
	variables = calloc(names->n_values + 1, sizeof(*variables));
	if (!variables)
		return ipp_fail(listing->err, ENOMEM, "out of memory");
	for (size_t i = 0; i < names->n_values; i++) {
		variables[i].name = names->values[i]->name;
		value_read(names->values[i], NULL, &variables[i].value);
	}
	rc = listing->take(listing->owner, names->index, variables, names->n_values);
	free(variables);
	return rc;
}

/* In the order of the targets, as far as it goes without a gap. */
static void deliver_ready(struct listing *listing)
{
	while (listing->rc == 0 && listing->n_done < listing->n_targets &&
	       listing->all[listing->n_done]) {
		Ipp__Names *names = listing->all[listing->n_done];

		listing->all[listing->n_done++] = NULL;
		listing->rc = deliver(listing, names);
		ipp__names__free_unpacked(names, NULL);
	}
}

static bool take_names(void *waiter, const struct frame *frame)
{
	struct listing *listing = waiter;
	Ipp__Names *names = frame->type == FRAME_NAMES
				    ? ipp__names__unpack(NULL, frame->head_bytes, frame->head)
				    : NULL;

	if (!names || names->request != listing->request || names->index >= listing->n_targets ||
	    listing->all[names->index]) {
		ipp__names__free_unpacked(names, NULL);
		return true;
	}
	listing->all[names->index] = names;
	deliver_ready(listing);
	return listing->rc == 0 && listing->n_done < listing->n_targets;
}

int ipp_list(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	     int (*take)(void *owner, size_t place, const struct ipp_variable *variables, size_t n),
	     void *owner, struct ipp_error *err)
{
	struct listing listing = {.request = session_request(client),
				  .targets = targets,
				  .n_targets = n_targets,
				  .all = calloc(n_targets + 1, sizeof(*listing.all)),
				  .take = take,
				  .owner = owner,
				  .err = err};
	Ipp__Targets ranks = IPP__TARGETS__INIT;
	Ipp__List head = IPP__LIST__INIT;
	int rc;

	if (!listing.all)
		return ipp_fail(err, ENOMEM, "out of memory");
	ranks.ranks = (uint32_t *)targets;
	ranks.n_ranks = n_targets;
	head.request = listing.request;
	head.targets = &ranks;
	if (client->link)
		link_send(client->link, FRAME_LIST, &head.base, NULL);
	rc = session_wait(client, take_names, NULL, &listing, true, err);
	for (size_t i = 0; i < n_targets; i++)
		ipp__names__free_unpacked(listing.all[i], NULL);
	free(listing.all);
	return rc < 0 ? rc : listing.rc;
}
