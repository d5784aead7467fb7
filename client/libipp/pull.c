#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/lacking.h"
#include "client/libipp/session.h"
#include "proto/value.h"
#include "proto/variable.h"

/* Values under way at a time: what bounds memory, where they come from other nodes. */
#define WINDOW 4

/* One that was asked for; `results` once it has come. */
struct asked {
	uint64_t request;
	Ipp__Results *results;
	struct blob *payload;
};

struct pulling {
	struct ipp_client *client;
	const uint32_t *targets;
	const char *name;
	struct asked ring[WINDOW]; /* by place */
	size_t n_targets, n_asked, n_done;
	int (*take)(void *owner, size_t place, const struct ipp_value *value);
	void *owner;
	struct ipp_error *err;
	int rc;
};

static void ask(struct pulling *pulling)
{
	struct asked *asked = &pulling->ring[pulling->n_asked % WINDOW];
	Ipp__Targets ranks = IPP__TARGETS__INIT;
	Ipp__Pull head = IPP__PULL__INIT;

	*asked = (struct asked){.request = session_request(pulling->client)};
	ranks.ranks = (uint32_t *)pulling->targets + pulling->n_asked++;
	ranks.n_ranks = 1;
	head.request = asked->request;
	head.targets = &ranks;
	head.name = (char *)pulling->name;
	if (pulling->client->link)
		link_send(pulling->client->link, FRAME_PULL, &head.base, NULL);
}

static int read_answer(const struct pulling *pulling, const struct asked *asked,
		       struct ipp_value *out, struct ipp_error *err)
{
	const uint32_t rank = pulling->targets[pulling->n_done];
	const Ipp__Result *result = asked->results->n_results == 1 ? asked->results->results[0]
								   : NULL;
	struct lacking lacking = {0};

	if (!result)
		return ipp_fail(err, EPROTO, "engine %u sent a malformed value", rank);
	if (result->outcome == IPP__OUTCOME__ERROR && result->code == ENOENT) {
		lacking_add(&lacking, rank);
		return lacking_fail(&lacking, pulling->name, err);
	}
	if (result->outcome != IPP__OUTCOME__OK)
		return ipp_fail(err, EIO, "cannot pull '%s' from engine %u: %.300s", pulling->name,
				rank, result->error);
	if (variable_check(result->value, asked->payload, err) < 0)
		return ipp_failure(-err->code);
	value_read(result->value, asked->payload ? asked->payload->data : NULL, out);
	return 0;
}

static void asked_clear(struct asked *asked)
{
	ipp__results__free_unpacked(asked->results, NULL);
	blob_unref(asked->payload);
	*asked = (struct asked){0};
}

static int deliver(struct pulling *pulling, struct asked *asked)
{
	struct ipp_value value;
	int rc = read_answer(pulling, asked, &value, pulling->err);

	if (rc == 0)
		rc = pulling->take(pulling->owner, pulling->n_done, &value);
	return rc;
}

/* In the order of the targets, as far as it goes without a gap; each makes room for another. */
static void deliver_ready(struct pulling *pulling)
{
	struct asked *next = &pulling->ring[pulling->n_done % WINDOW];

	while (pulling->rc == 0 && pulling->n_done < pulling->n_asked && next->results) {
		pulling->rc = deliver(pulling, next);
		asked_clear(next);
		next = &pulling->ring[++pulling->n_done % WINDOW];
		if (pulling->n_asked < pulling->n_targets)
			ask(pulling);
	}
}

static bool take_results(void *waiter, const struct frame *frame)
{
	struct pulling *pulling = waiter;
	Ipp__Results *results = frame->type == FRAME_RESULTS
					? ipp__results__unpack(NULL, frame->head_bytes, frame->head)
					: NULL;
	size_t i = pulling->n_done;

	while (results && i < pulling->n_asked &&
	       pulling->ring[i % WINDOW].request != results->request)
		i++;
	if (!results || i == pulling->n_asked || pulling->ring[i % WINDOW].results) {
		ipp__results__free_unpacked(results, NULL);
		return true;
	}
	pulling->ring[i % WINDOW].results = results;
	pulling->ring[i % WINDOW].payload = blob_ref(frame->payload);
	deliver_ready(pulling);
	return pulling->rc == 0 && pulling->n_done < pulling->n_targets;
}

static void cancel(const struct pulling *pulling, uint64_t request)
{
	Ipp__Cancel head = IPP__CANCEL__INIT;

	head.request = request;
	if (pulling->client->link)
		link_send(pulling->client->link, FRAME_CANCEL, &head.base, NULL);
}

/* ---- who has it ---- */

struct lookup {
	const uint32_t *targets;
	const char *name;
	struct lacking lacking;
};

static int look(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	struct lookup *lookup = owner;

	for (size_t i = 0; i < n; i++)
		if (strcmp(variables[i].name, lookup->name) == 0)
			return 0;
	lacking_add(&lookup->lacking, lookup->targets[place]);
	return 0;
}

/* Before anything is moved, so that all who lack it are named and nothing was done by halves. */
static int check_all_have_it(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
			     const char *name, struct ipp_error *err)
{
	struct lookup lookup = {.targets = targets, .name = name};
	const int rc = ipp_list(client, targets, n_targets, look, &lookup, err);

	return rc == 0 && lookup.lacking.n > 0 ? lacking_fail(&lookup.lacking, name, err) : rc;
}

int ipp_pull(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     int (*take)(void *owner, size_t place, const struct ipp_value *value), void *owner,
	     struct ipp_error *err)
{
	struct pulling pulling = {.client = client,
				  .targets = targets,
				  .name = name,
				  .n_targets = n_targets,
				  .take = take,
				  .owner = owner,
				  .err = err};
	int rc = variable_check_name(name, err);

	if (rc == 0 && n_targets > 1)
		rc = check_all_have_it(client, targets, n_targets, name, err);
	while (rc == 0 && pulling.n_asked < n_targets && pulling.n_asked < WINDOW)
		ask(&pulling);
	if (rc == 0 && n_targets > 0)
		rc = session_wait(client, take_results, NULL, &pulling, true, err);
	if (rc == 0)
		rc = pulling.rc;
	for (size_t i = 0; i < WINDOW; i++) {
		if (pulling.ring[i].request && !pulling.ring[i].results)
			cancel(&pulling, pulling.ring[i].request);
		asked_clear(&pulling.ring[i]);
	}
	return rc;
}
