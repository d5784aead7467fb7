#include "client/errand_result.h"

#include <errno.h>
#include <stdlib.h>

#include "client/variable_output.h"
#include "proto/error.h"

struct shown {
	struct ipp_client *client;
	uint64_t id;
	struct variable_output output;
	uint32_t *ranks; /* of a pull's targets */
	struct ipp_error *err;
	int rc;
};

/* ---- pull ---- */

static int note_rank(void *owner, const struct ipp_result *result)
{
	struct shown *shown = owner;

	if (result->index < shown->output.n)
		shown->ranks[result->index] = result->engine;
	return 0;
}

static int show_value(void *owner, const struct ipp_result *result)
{
	struct shown *shown = owner;

	shown->rc = variable_output_value(&shown->output, result->engine, &result->value,
					  shown->err);
	return shown->rc;
}

/* Heads first: where some lack it, nothing is shown of the others. */
static int show_pull(struct shown *shown)
{
	const struct ipp_fetch heads = {.done = note_rank, .owner = shown, .heads = true};
	const struct ipp_fetch all = {.done = show_value, .owner = shown};
	struct ipp_fetched fetched;
	struct ipp_error why;
	int rc;

	shown->ranks = calloc(shown->output.n, sizeof(*shown->ranks));
	if (!shown->ranks)
		return ipp_fail(shown->err, ENOMEM, "ipp-run: out of memory");
	rc = ipp_fetch(shown->client, shown->id, &heads, &fetched, shown->err);
	if (rc == 0)
		rc = variable_output_check(&shown->output, shown->ranks, shown->err);
	free(shown->ranks);
	if (rc < 0)
		return rc;
	rc = ipp_fetch(shown->client, shown->id, &all, &fetched, &why);
	if (rc < 0 && shown->rc == 0)
		*shown->err = why;
	return shown->rc < 0 ? shown->rc : rc;
}

/* ---- gather ---- */

static int each(const void *from, int (*begin)(void *owner, const struct ipp_value *whole),
		int (*take)(void *owner, size_t place, const struct ipp_value *part), void *owner,
		struct ipp_error *err)
{
	const struct shown *shown = from;

	return ipp_fetch_parts(shown->client, shown->id, begin, take, owner, err);
}

static int whole(const void *from, struct ipp_gathered *out, struct ipp_error *err)
{
	const struct shown *shown = from;

	return ipp_fetch_gathered(shown->client, shown->id, out, err);
}

/* ---- the others ---- */

static int show_variables(void *owner, const struct ipp_result *result)
{
	(void)owner;
	variable_output_list(result->engine, result->variables, result->n_variables);
	return 0;
}

int errand_result(struct ipp_client *client, uint64_t id, const struct ipp_fetched *fetched,
		  const char *path, struct ipp_error *err)
{
	struct shown shown = {.client = client,
			      .id = id,
			      .output = {.path = path, .n = fetched->n_targets},
			      .err = err};
	const struct parts parts = {.each = each, .whole = whole, .from = &shown};
	const struct ipp_fetch others = {.done = show_variables};
	struct ipp_fetched again;

	if (fetched->work == IPP_GATHER)
		return variable_output_joined(path, &parts, err);
	if (fetched->work == IPP_PULL)
		return show_pull(&shown);
	if (path)
		return ipp_fail(err, EINVAL,
				"-o %.100s: only a pull or a gather gives something "
				"to write there",
				path);
	return ipp_fetch(client, id, &others, &again, err);
}
