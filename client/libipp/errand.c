#include "client/libipp/errand.h"

#include <errno.h>
#include <string.h>

#include "client/libipp/items_out.h"
#include "client/libipp/request.h"
#include "client/libipp/session.h"
#include "proto/variable.h"

static Ipp__Targets targets_of(const struct ipp_errand *errand)
{
	Ipp__Targets ranks = IPP__TARGETS__INIT;

	ranks.ranks = (uint32_t *)errand->targets;
	ranks.n_ranks = errand->n_targets;
	return ranks;
}

static int send_pull(struct ipp_request *request, const struct ipp_errand *errand,
		     struct ipp_error *err)
{
	Ipp__Targets ranks = targets_of(errand);
	Ipp__Pull head = IPP__PULL__INIT;

	(void)err;
	head.request = request->id;
	head.targets = &ranks;
	head.name = request->name;
	head.gather = errand->what == IPP_GATHER;
	head.detached = request->detached;
	link_send(request->client->link, FRAME_PULL, &head.base, NULL);
	return 0;
}

static int send_list(struct ipp_request *request, const struct ipp_errand *errand,
		     struct ipp_error *err)
{
	Ipp__Targets ranks = targets_of(errand);
	Ipp__List head = IPP__LIST__INIT;

	(void)err;
	head.request = request->id;
	head.targets = &ranks;
	head.detached = request->detached;
	link_send(request->client->link, FRAME_LIST, &head.base, NULL);
	return 0;
}

static int send_remove(struct ipp_request *request, const struct ipp_errand *errand,
		       struct ipp_error *err)
{
	Ipp__Targets ranks = targets_of(errand);
	Ipp__Remove head = IPP__REMOVE__INIT;

	(void)err;
	head.request = request->id;
	head.targets = &ranks;
	head.name = request->name;
	head.detached = request->detached;
	link_send(request->client->link, FRAME_REMOVE, &head.base, NULL);
	return 0;
}

static int begin(struct ipp_request *request, const void *what, struct ipp_error *err)
{
	static int (*const senders[])(struct ipp_request * request, const struct ipp_errand *errand,
				      struct ipp_error *err) = {
		[IPP_PUSH] = push_send,	  [IPP_SCATTER] = scatter_send, [IPP_PULL] = send_pull,
		[IPP_GATHER] = send_pull, [IPP_LIST] = send_list,	[IPP_REMOVE] = send_remove,
	};
	const struct ipp_errand *errand = what;
	int rc;

	if (errand->what != IPP_LIST) {
		request->name = strdup(errand->name);
		if (!request->name)
			return ipp_fail(err, ENOMEM, "out of memory");
	}
	rc = senders[errand->what](request, errand, err);
	return rc == 0 ? items_out_targets(request, errand->n_targets, err) : rc;
}

int ipp_submit_errand(struct ipp_client *client, const struct ipp_errand *errand,
		      struct ipp_request **out, struct ipp_error *err)
{
	const struct ipp_request as = {.work = errand->what,
				       .done = errand->done,
				       .owner = errand->owner,
				       .detached = errand->detached};

	if (errand->what <= IPP_RUN || errand->what > IPP_REMOVE)
		return ipp_fail(err, EINVAL, "%d is nothing to do with a variable", errand->what);
	if (errand->n_targets == 0)
		return ipp_fail(err, EINVAL, "there is no engine to do it on: give targets");
	if (errand->what != IPP_LIST && !errand->name)
		return ipp_fail(err, EINVAL, "the variable has no name: give one");
	if (errand->what != IPP_LIST && variable_check_name(errand->name, err) < 0)
		return -EINVAL;
	if (errand->what <= IPP_SCATTER && !errand->value && !errand->path)
		return ipp_fail(err, EINVAL, "'%s' has no value: give one, or the path of its file",
				errand->name);
	return request_submit(client, &as, begin, errand, out, err);
}

int errand_run(struct ipp_client *client, const struct ipp_errand *errand, struct ipp_error *err)
{
	struct ipp_request *request = NULL;
	int rc = ipp_submit_errand(client, errand, &request, err);

	if (rc == 0)
		rc = ipp_wait(request, -1, err);
	ipp_request_free(request); /* which cancels it after an interruption */
	return rc;
}

int ipp_remove(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	       const char *name, struct ipp_error *err)
{
	const struct ipp_errand errand = {
		.what = IPP_REMOVE, .targets = targets, .n_targets = n_targets, .name = name};

	return errand_run(client, &errand, err);
}

/* ---- what is given to a function of the caller's ---- */

struct listing {
	int (*take)(void *owner, size_t place, const struct ipp_variable *variables, size_t n);
	void *owner;
	int rc;
};

static int list_done(void *owner, const struct ipp_result *result)
{
	struct listing *listing = owner;

	if (result->outcome == IPP_OK)
		listing->rc = listing->take(listing->owner, result->index, result->variables,
					    result->n_variables);
	return listing->rc;
}

int ipp_list(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	     int (*take)(void *owner, size_t place, const struct ipp_variable *variables, size_t n),
	     void *owner, struct ipp_error *err)
{
	struct listing listing = {.take = take, .owner = owner};
	const struct ipp_errand errand = {.what = IPP_LIST,
					  .targets = targets,
					  .n_targets = n_targets,
					  .done = list_done,
					  .owner = &listing};
	struct ipp_error why;
	const int rc = errand_run(client, &errand, &why);

	if (listing.rc != 0) /* whose take() has said why */
		return listing.rc;
	if (rc < 0)
		*err = why;
	return rc;
}
