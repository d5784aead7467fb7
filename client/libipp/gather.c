#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/libipp/errand.h"
#include "client/libipp/failures.h"
#include "client/libipp/request.h"
#include "client/libipp/rows.h"
#include "client/libipp/session.h"
#include "proto/variable.h"

struct gathering;

/* Where the parts are: with engines, or in results that are here or kept by the controller. */
struct source {
	struct ipp_client *client;
	const uint32_t *targets;
	struct ipp_request *request;
	uint64_t id;
	/* Each calls look_at() or take_part(), for each place in turn.  0 or a negative errno. */
	int (*look)(const struct source *source, struct gathering *gathering);
	int (*pull)(const struct source *source, struct gathering *gathering);
};

struct gathering {
	uint32_t *ranks; /* by place */
	struct npy *parts;
	size_t n;
	const char *name;
	struct failures failures;
	struct npy whole;
	int (*take)(void *owner, size_t place, const struct ipp_value *part);
	void *owner;
	struct ipp_error *err;
	int rc; /* of the first part that cannot be joined */
};

/* ---- what the whole will be ---- */

/* Rows and columns are the same in either order where only one axis is longer than 1. */
static bool has_one_order(const struct npy *npy)
{
	size_t n_long = 0;

	for (size_t i = 0; i < npy->n_dims; i++)
		n_long += npy->shape[i] > 1;
	return n_long <= 1 || npy->n_items == 0;
}

static int mismatch(const struct gathering *gathering, size_t place)
{
	const struct npy *first = &gathering->parts[0], *other = &gathering->parts[place];
	char one[80], two[80];

	npy_shape_text(first, one, sizeof(one));
	npy_shape_text(other, two, sizeof(two));
	return ipp_fail(gathering->err, EINVAL,
			"the parts of '%s' do not fit: engine %u has dtype %s, shape %s, "
			"engine %u dtype %s, shape %s; pull shows each by itself",
			gathering->name, gathering->ranks[0], first->dtype, one,
			gathering->ranks[place], other->dtype, two);
}

/* Another one's value, or NULL: it has none.  All are looked at, so that all who lack it are named;
 * what is wrong with a part comes second. */
static void look_at(struct gathering *gathering, size_t place, const struct ipp_value *value)
{
	struct npy *part = &gathering->parts[place];
	char whence[64 + VARIABLE_NAME_MAX];
	int rc;

	if (!value) {
		failures_add_lacking(&gathering->failures, gathering->ranks[place]);
		return;
	}
	if (gathering->rc < 0)
		return;
	snprintf(whence, sizeof(whence), "'%s' of engine %u", gathering->name,
		 gathering->ranks[place]);
	rc = rows_describe(part, value, whence, gathering->err);
	if (rc == 0 && part->n_dims == 0)
		rc = ipp_fail(gathering->err, EINVAL,
			      "%s: holds a single item (shape ()): there is no first axis to join "
			      "along; pull it",
			      whence);
	gathering->rc = rc;
}

static int fit(struct gathering *gathering)
{
	const struct npy *first = &gathering->parts[0];
	uint64_t shape[NPY_DIMS_MAX];
	uint64_t n_rows = 0;
	bool fortran = true;

	for (size_t i = 0; i < gathering->n; i++) {
		const struct npy *part = &gathering->parts[i];

		if (part->n_dims == 0) /* no result of it came */
			return ipp_fail(gathering->err, EPROTO, "a part of '%s' never came",
					gathering->name);
		if (strcmp(part->dtype, first->dtype) != 0 || part->n_dims != first->n_dims ||
		    memcmp(part->shape + 1, first->shape + 1,
			   (first->n_dims - 1) * sizeof(*part->shape)) != 0)
			return mismatch(gathering, i);
		if (__builtin_add_overflow(n_rows, part->shape[0], &n_rows))
			return mismatch(gathering, i);
		fortran = fortran && (part->fortran || has_one_order(part));
	}
	memcpy(shape, first->shape, first->n_dims * sizeof(*shape));
	shape[0] = n_rows;
	return npy_init(&gathering->whole, first->dtype, first->n_dims, shape, fortran,
			gathering->name, gathering->err);
}

static struct ipp_value value_of(const struct npy *npy, const void *data)
{
	return (struct ipp_value){.kind = IPP_ARRAY,
				  .bytes = npy->data_bytes,
				  .dtype = npy->dtype,
				  .shape = npy->shape,
				  .n_dims = npy->n_dims,
				  .fortran_order = npy->fortran,
				  .data = data};
}

/* ---- the parts ---- */

/* A part in Fortran order of a whole that is not. */
static int take_converted(struct gathering *gathering, size_t place, const struct ipp_value *value)
{
	struct npy part = gathering->parts[place];
	uint8_t *data = malloc(part.data_bytes);
	struct ipp_value converted;
	int rc;

	if (!data)
		return ipp_fail(gathering->err, ENOMEM, "out of memory for a part");
	rows_to_c_order(&part, value->data, data);
	part.fortran = false;
	converted = value_of(&part, data);
	rc = gathering->take(gathering->owner, place, &converted);
	free(data);
	return rc;
}

static int take_part(void *owner, size_t place, const struct ipp_value *value)
{
	struct gathering *gathering = owner;
	const struct npy *expected = &gathering->parts[place];
	struct npy part;

	if (value->kind != IPP_ARRAY ||
	    rows_describe(&part, value, gathering->name, gathering->err) < 0 ||
	    strcmp(part.dtype, expected->dtype) != 0 || part.n_dims != expected->n_dims ||
	    memcmp(part.shape, expected->shape, part.n_dims * sizeof(*part.shape)) != 0 ||
	    part.fortran != expected->fortran)
		return ipp_fail(gathering->err, EAGAIN,
				"'%s' of engine %u was changed while it was gathered: "
				"gather it again",
				gathering->name, gathering->ranks[place]);
	if (part.fortran && !gathering->whole.fortran)
		return take_converted(gathering, place, value);
	return gathering->take(gathering->owner, place, value);
}

static int gather_from(const struct source *source, const char *name, size_t n,
		       int (*begin)(void *owner, const struct ipp_value *whole),
		       int (*take)(void *owner, size_t place, const struct ipp_value *part),
		       void *owner, struct ipp_error *err)
{
	struct gathering gathering = {.ranks = calloc(n + 1, sizeof(*gathering.ranks)),
				      .parts = calloc(n + 1, sizeof(*gathering.parts)),
				      .n = n,
				      .name = name,
				      .take = take,
				      .owner = owner,
				      .err = err};
	struct ipp_value whole;
	int rc = variable_check_name(name, err);

	if (rc == 0 && n == 0)
		rc = ipp_fail(err, EINVAL, "'%s' cannot be gathered from no engines", name);
	if (rc == 0 && (!gathering.parts || !gathering.ranks))
		rc = ipp_fail(err, ENOMEM, "out of memory");
	if (rc == 0)
		rc = source->look(source, &gathering);
	if (rc == 0)
		rc = failures_verdict(&gathering.failures, IPP_GATHER, name, err);
	if (rc == 0)
		rc = gathering.rc;
	if (rc == 0)
		rc = fit(&gathering);
	if (rc == 0) {
		whole = value_of(&gathering.whole, NULL);
		rc = begin(owner, &whole);
	}
	if (rc == 0)
		rc = source->pull(source, &gathering);
	free(gathering.parts);
	free(gathering.ranks);
	return rc;
}

/* ---- from engines ---- */

static int look_for(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	struct gathering *gathering = owner;
	size_t i = 0;

	while (i < n && strcmp(variables[i].name, gathering->name) != 0)
		i++;
	look_at(gathering, place, i < n ? &variables[i].value : NULL);
	return 0;
}

static int engines_look(const struct source *source, struct gathering *gathering)
{
	memcpy(gathering->ranks, source->targets, gathering->n * sizeof(*gathering->ranks));
	return ipp_list(source->client, gathering->ranks, gathering->n, look_for, gathering,
			gathering->err);
}

static int engines_pull(const struct source *source, struct gathering *gathering)
{
	return pull_each(source->client, gathering->ranks, gathering->n, gathering->name, take_part,
			 gathering, gathering->err);
}

int ipp_gather_parts(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		     const char *name, int (*begin)(void *owner, const struct ipp_value *whole),
		     int (*take)(void *owner, size_t place, const struct ipp_value *part),
		     void *owner, struct ipp_error *err)
{
	const struct source engines = {
		.client = client, .targets = targets, .look = engines_look, .pull = engines_pull};

	return gather_from(&engines, name, n_targets, begin, take, owner, err);
}

/* ---- from results that the controller keeps ---- */

static int check_place(const struct gathering *gathering, const struct ipp_result *result)
{
	return result->index < gathering->n
		       ? 0
		       : ipp_fail(gathering->err, EPROTO, "a result came that makes no sense");
}

static int look_at_result(void *owner, const struct ipp_result *result)
{
	struct gathering *gathering = owner;

	if (check_place(gathering, result) < 0)
		return -EPROTO;
	gathering->ranks[result->index] = result->engine;
	if (result->outcome == IPP_OK) /* the others are in the verdict of who fetches them */
		look_at(gathering, result->index, &result->value);
	return 0;
}

static int take_result(void *owner, const struct ipp_result *result)
{
	struct gathering *gathering = owner;

	gathering->rc = check_place(gathering, result);
	if (gathering->rc == 0)
		gathering->rc = take_part(gathering, result->index, &result->value);
	return gathering->rc;
}

static int fetch(const struct source *source, bool heads,
		 int (*done)(void *owner, const struct ipp_result *result),
		 struct gathering *gathering)
{
	const struct ipp_fetch how = {.done = done, .owner = gathering, .heads = heads};
	struct ipp_fetched fetched;
	struct ipp_error why;
	const int rc = ipp_fetch(source->client, source->id, &how, &fetched, &why);

	/* What is wrong with a part, *err says already; who lacks it comes before that. */
	if (rc < 0 && (heads || gathering->rc == 0))
		*gathering->err = why;
	return rc;
}

static int kept_look(const struct source *source, struct gathering *gathering)
{
	return fetch(source, true, look_at_result, gathering);
}

static int kept_pull(const struct source *source, struct gathering *gathering)
{
	const int rc = fetch(source, false, take_result, gathering);

	return gathering->rc != 0 ? gathering->rc : rc;
}

int ipp_fetch_parts(struct ipp_client *client, uint64_t id,
		    int (*begin)(void *owner, const struct ipp_value *whole),
		    int (*take)(void *owner, size_t place, const struct ipp_value *part),
		    void *owner, struct ipp_error *err)
{
	const struct source kept = {
		.client = client, .id = id, .look = kept_look, .pull = kept_pull};
	const struct ipp_fetch only_the_end = {.done = NULL};
	struct ipp_fetched fetched;
	int rc = ipp_fetch(client, id, &only_the_end, &fetched, err);

	if (rc < 0)
		return rc;
	if (fetched.work != IPP_GATHER && fetched.work != IPP_PULL)
		return ipp_fail(err, EINVAL, "request %u.%u is no gather: its results are fetched",
				(unsigned)(id >> 32), (unsigned)id);
	return gather_from(&kept, fetched.name, fetched.n_targets, begin, take, owner, err);
}

/* ---- from results that are here ---- */

static int request_look(const struct source *source, struct gathering *gathering)
{
	const struct ipp_request *request = source->request;

	for (size_t i = 0; i < gathering->n; i++) {
		const struct slot *slot = slots_of(&request->slots, i);
		struct ipp_result result;

		arrival_read(slot->arrival, slot->which - 1, &result);
		look_at_result(gathering, &result);
	}
	return 0;
}

static int request_pull(const struct source *source, struct gathering *gathering)
{
	const struct ipp_result *result;
	int rc;

	while ((rc = ipp_next(source->request, -1, &result, gathering->err)) == 1)
		if (take_result(gathering, result) != 0)
			return gathering->rc;
	return rc;
}

/* ---- in memory ---- */

/* What a gathered value points to, at the beginning of its memory; the bytes begin behind it. */
struct store {
	struct npy npy;
	size_t bytes; /* of the mapping */
	uint64_t row; /* where the next part goes */
	struct ipp_error *err;
};

#define STORE_BYTES ((sizeof(struct store) + 63) / 64 * 64)

static int store_begin(void *owner, const struct ipp_value *whole)
{
	struct store **out = owner;
	struct ipp_error *err = (*out)->err;
	const size_t bytes = STORE_BYTES + whole->bytes;
	struct store *store = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	int rc;

	if (store == MAP_FAILED)
		return ipp_fail(err, ENOMEM, "out of memory for %zu bytes", whole->bytes);
	store->bytes = bytes;
	store->err = err;
	rc = rows_describe(&store->npy, whole, "the whole", err);
	if (rc < 0)
		munmap(store, bytes);
	else
		*out = store;
	return rc;
}

static int store_take(void *owner, size_t place, const struct ipp_value *part)
{
	struct store *store = *(struct store **)owner;

	(void)place;
	rows_in(&store->npy, (uint8_t *)store + STORE_BYTES, store->row, part->shape[0],
		part->data);
	store->row += part->shape[0];
	return 0;
}

static int store_end(struct store *store, const struct store *none, int rc,
		     struct ipp_gathered *out)
{
	if (rc == 0)
		*out = (struct ipp_gathered){
			.value = value_of(&store->npy, (uint8_t *)store + STORE_BYTES),
			.memory = store};
	else if (store != none)
		munmap(store, store->bytes);
	return rc;
}

int ipp_gather(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	       const char *name, struct ipp_gathered *out, struct ipp_error *err)
{
	struct store none = {.err = err};
	struct store *store = &none;
	const int rc = ipp_gather_parts(client, targets, n_targets, name, store_begin, store_take,
					&store, err);

	return store_end(store, &none, rc, out);
}

int ipp_fetch_gathered(struct ipp_client *client, uint64_t id, struct ipp_gathered *out,
		       struct ipp_error *err)
{
	struct store none = {.err = err};
	struct store *store = &none;
	const int rc = ipp_fetch_parts(client, id, store_begin, store_take, &store, err);

	return store_end(store, &none, rc, out);
}

int ipp_join(struct ipp_request *request, struct ipp_gathered *out, struct ipp_error *err)
{
	const struct source here = {.request = request, .look = request_look, .pull = request_pull};
	struct store none = {.err = err};
	struct store *store = &none;
	int rc = ipp_wait(request, -1, err);

	if (rc == 0 && (request->work != IPP_GATHER || request->detached || request->n_taken > 0))
		rc = ipp_fail(err, EINVAL,
			      "nothing to join: it is no gather, or its parts are not all here");
	if (rc == 0)
		rc = gather_from(&here, request->name, request->n_sent, store_begin, store_take,
				 &store, err);
	return store_end(store, &none, rc, out);
}

void ipp_gathered_free(struct ipp_gathered *gathered)
{
	struct store *store = gathered->memory;

	if (store)
		munmap(store, store->bytes);
	*gathered = (struct ipp_gathered){.memory = NULL};
}
