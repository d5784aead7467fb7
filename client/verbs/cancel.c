#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/verb.h"

/* All that waits or runs; what ends by itself meanwhile is as well. */
static int cancel_all(struct ipp_client *client, struct ipp_error *err)
{
	const struct ipp_request_info *list;
	size_t n;
	int rc = ipp_requests(client, &list, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (list[i].ended_us > 0)
			continue;
		rc = ipp_cancel_request(client, list[i].id, err);
		if (rc == -ESRCH)
			rc = 0;
	}
	return rc;
}

/* Each of them, though another one was wrong. */
static int cancel_these(struct ipp_client *client, const uint64_t *ids, int n,
			struct ipp_error *err)
{
	int worst = 0;

	for (int i = 0; i < n && (worst == 0 || worst == -ESRCH); i++) {
		struct ipp_error one;
		const int rc = ipp_cancel_request(client, ids[i], &one);

		if (rc == 0)
			continue;
		if (worst < 0)
			verb_fail(err);
		*err = one;
		worst = rc;
	}
	return worst;
}

static int cancel(int argc, char **argv)
{
	const struct ipp_connect nowhere = {.local_engines = 0};
	const bool all = argc == 2 && strcmp(argv[1], "all") == 0;
	uint64_t *ids = calloc((size_t)argc, sizeof(*ids));
	struct ipp_client *client = NULL;
	struct ipp_error err;
	int rc = 0;

	if (argc < 2 || argv[1][0] == '-') {
		free(ids);
		return argc < 2 ? verb_misuse(&verb_cancel, "which requests? give ids, or all")
				: verb_misuse(&verb_cancel, "'%s' is not an option", argv[1]);
	}
	if (!ids)
		rc = ipp_fail(&err, ENOMEM, "ipp-run cancel: out of memory");
	for (int i = 1; rc == 0 && !all && i < argc; i++)
		rc = verb_request_id(argv[i], &ids[i - 1], &err);
	if (rc == 0)
		rc = ipp_connect(&client, &nowhere, &err);
	if (rc == 0)
		rc = all ? cancel_all(client, &err) : cancel_these(client, ids, argc - 1, &err);
	verb_disconnect(client);
	free(ids);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_cancel = {
	.name = "cancel",
	.summary = "end requests that wait or run",
	.usage = "usage: ipp-run cancel ID...\n"
		 "       ipp-run cancel all\n"
		 "End requests, whosever they are: tasks that wait are dropped, tasks that run are "
		 "killed, and the\n"
		 "client that waits for them is told.  ipp-run queue lists the ids.\n",
	.run = cancel,
};
