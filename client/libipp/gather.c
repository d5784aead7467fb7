#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/libipp/lacking.h"
#include "client/libipp/rows.h"
#include "client/libipp/session.h"
#include "proto/variable.h"

struct gathering {
	const uint32_t *targets;
	const char *name;
	struct lacking lacking;
	struct npy *parts; /* by place */
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
			gathering->name, gathering->targets[0], first->dtype, one,
			gathering->targets[place], other->dtype, two);
}

/* All are looked at, so that all who lack it are named; what is wrong with a part comes second. */
static int look(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	struct gathering *gathering = owner;
	struct npy *part = &gathering->parts[place];
	char whence[64 + VARIABLE_NAME_MAX];
	size_t i = 0;
	int rc;

	while (i < n && strcmp(variables[i].name, gathering->name) != 0)
		i++;
	if (i == n) {
		lacking_add(&gathering->lacking, gathering->targets[place]);
		return 0;
	}
	snprintf(whence, sizeof(whence), "'%s' of engine %u", gathering->name,
		 gathering->targets[place]);
	if (gathering->rc < 0)
		return 0;
	rc = rows_describe(part, &variables[i].value, whence, gathering->err);
	if (rc == 0 && part->n_dims == 0)
		rc = ipp_fail(gathering->err, EINVAL,
			      "%s: holds a single item (shape ()): there is no first axis to join "
			      "along; pull it",
			      whence);
	gathering->rc = rc;
	return 0;
}

static int fit(struct gathering *gathering, size_t n_targets)
{
	const struct npy *first = &gathering->parts[0];
	uint64_t shape[NPY_DIMS_MAX];
	uint64_t n_rows = 0;
	bool fortran = true;

	for (size_t i = 0; i < n_targets; i++) {
		const struct npy *part = &gathering->parts[i];

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
				gathering->name, gathering->targets[place]);
	if (part.fortran && !gathering->whole.fortran)
		return take_converted(gathering, place, value);
	return gathering->take(gathering->owner, place, value);
}

int ipp_gather_parts(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		     const char *name, int (*begin)(void *owner, const struct ipp_value *whole),
		     int (*take)(void *owner, size_t place, const struct ipp_value *part),
		     void *owner, struct ipp_error *err)
{
	struct gathering gathering = {.targets = targets,
				      .name = name,
				      .parts = calloc(n_targets + 1, sizeof(*gathering.parts)),
				      .take = take,
				      .owner = owner,
				      .err = err};
	struct ipp_value whole;
	int rc = variable_check_name(name, err);

	if (rc == 0 && n_targets == 0)
		rc = ipp_fail(err, EINVAL, "'%s' cannot be gathered from no engines", name);
	if (rc == 0 && !gathering.parts)
		rc = ipp_fail(err, ENOMEM, "out of memory");
	if (rc == 0)
		rc = ipp_list(client, targets, n_targets, look, &gathering, err);
	if (rc == 0 && gathering.lacking.n > 0)
		rc = lacking_fail(&gathering.lacking, name, err);
	else if (rc == 0)
		rc = gathering.rc;
	if (rc == 0)
		rc = fit(&gathering, n_targets);
	if (rc == 0) {
		whole = value_of(&gathering.whole, NULL);
		rc = begin(owner, &whole);
	}
	if (rc == 0)
		rc = ipp_pull(client, targets, n_targets, name, take_part, &gathering, err);
	free(gathering.parts);
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

int ipp_gather(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	       const char *name, struct ipp_gathered *out, struct ipp_error *err)
{
	struct store none = {.err = err};
	struct store *store = &none;
	const int rc = ipp_gather_parts(client, targets, n_targets, name, store_begin, store_take,
					&store, err);

	if (rc == 0)
		*out = (struct ipp_gathered){
			.value = value_of(&store->npy, (uint8_t *)store + STORE_BYTES),
			.memory = store};
	else if (store != &none)
		munmap(store, store->bytes);
	return rc;
}

void ipp_gathered_free(struct ipp_gathered *gathered)
{
	struct store *store = gathered->memory;

	if (store)
		munmap(store, store->bytes);
	*gathered = (struct ipp_gathered){.memory = NULL};
}
