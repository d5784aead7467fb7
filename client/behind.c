#include "client/behind.h"

#include <errno.h>
#include <stdio.h>

int behind_connect(struct ipp_client **out, unsigned engines, struct ipp_error *err)
{
	const struct ipp_connect nowhere = {.local_engines = 0};
	int rc = engines > 0 ? -ENOENT : ipp_connect(out, &nowhere, err);

	if (rc == -ENOENT)
		return ipp_fail(
			err, ENOENT,
			"ipp-run: --async leaves it to a cluster that stays: start one with "
			"ipp-run start, and leave --engines out");
	if (rc == 0)
		verb_interruptible(*out);
	return rc;
}

/* The controller answers once it has seen all that was sent before. */
static int confirm(struct ipp_client *client, uint64_t id, struct ipp_error *err)
{
	const struct ipp_fetch how_is_it = {.now = true};
	struct ipp_fetched fetched;

	return ipp_fetch(client, id, &how_is_it, &fetched, err);
}

/* Once all of it has arrived, print its id (takes `request`). */
static int leave(struct ipp_client *client, struct ipp_request *request, struct ipp_error *err)
{
	const uint64_t id = ipp_request_id(request);
	char name[VERB_ID_BYTES];
	int rc = ipp_wait(request, -1, err);

	if (rc == 0)
		rc = confirm(client, id, err);
	ipp_request_free(request);
	if (rc == 0)
		puts(verb_request_name(id, name));
	return rc;
}

int behind_submit(struct ipp_client *client, struct ipp_run *run, struct ipp_error *err)
{
	struct ipp_request *request = NULL;
	int rc;

	run->detached = true;
	rc = ipp_submit(client, run, &request, err);
	return rc == 0 ? leave(client, request, err) : rc;
}

int behind_errand(struct ipp_client *client, const struct ipp_errand *errand, struct ipp_error *err)
{
	struct ipp_request *request = NULL;
	const int rc = ipp_submit_errand(client, errand, &request, err);

	return rc == 0 ? leave(client, request, err) : rc;
}
