#include <string.h>

#include "client/libipp/errand.h"
#include "client/libipp/failures.h"
#include "proto/blob.h"
#include "proto/error.h"
#include "proto/variable.h"

/* ---- who has it ---- */

struct lookup {
	const uint32_t *targets;
	const char *name;
	struct failures failures;
};

static int look(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	struct lookup *lookup = owner;

	for (size_t i = 0; i < n; i++)
		if (strcmp(variables[i].name, lookup->name) == 0)
			return 0;
	failures_add_lacking(&lookup->failures, lookup->targets[place]);
	return 0;
}

/* Before anything is moved, so that all who lack it are named and nothing was done by halves. */
static int check_all_have_it(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
			     const char *name, struct ipp_error *err)
{
	struct lookup lookup = {.targets = targets, .name = name};
	const int rc = ipp_list(client, targets, n_targets, look, &lookup, err);

	return rc == 0 ? failures_verdict(&lookup.failures, IPP_PULL, name, err) : rc;
}

/* ---- its values ---- */

struct pulling {
	int (*take)(void *owner, size_t place, const struct ipp_value *value);
	void *owner;
	int rc;
};

static int pull_done(void *owner, const struct ipp_result *result)
{
	struct pulling *pulling = owner;

	if (result->outcome == IPP_OK)
		pulling->rc = pulling->take(pulling->owner, result->index, &result->value);
	return pulling->rc;
}

int pull_each(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	      const char *name,
	      int (*take)(void *owner, size_t place, const struct ipp_value *value), void *owner,
	      struct ipp_error *err)
{
	struct pulling pulling = {.take = take, .owner = owner};
	const struct ipp_errand errand = {.what = IPP_PULL,
					  .targets = targets,
					  .n_targets = n_targets,
					  .name = name,
					  .done = pull_done,
					  .owner = &pulling};
	struct ipp_error why;
	const int rc = errand_run(client, &errand, &why);

	if (pulling.rc != 0) /* whose take() has said why */
		return pulling.rc;
	if (rc < 0)
		*err = why;
	return rc;
}

int ipp_pull(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     int (*take)(void *owner, size_t place, const struct ipp_value *value), void *owner,
	     struct ipp_error *err)
{
	int rc = 0;

	if (n_targets > 1 && variable_check_name(name, NULL) == 0)
		rc = check_all_have_it(client, targets, n_targets, name, err);
	return rc < 0 ? rc : pull_each(client, targets, n_targets, name, take, owner, err);
}

/* Not in a copy of a value that has got other bytes. */
static bool lies_within(const struct ipp_value *array, const struct blob *blob)
{
	const uintptr_t offset = (uintptr_t)array->data - (uintptr_t)blob->data;

	return offset <= blob->bytes && array->bytes <= blob->bytes - offset;
}

int ipp_value_write(const struct ipp_value *array, int fd, struct ipp_error *err)
{
	const struct blob alone = {.data = (uint8_t *)array->data, .fd = -1};
	const struct blob *origin = array->origin;
	const struct blob *blob = origin && lies_within(array, origin) ? origin : &alone;
	const int rc = blob_write(blob, (size_t)((const uint8_t *)array->data - blob->data),
				  array->bytes, fd);

	return rc < 0 ? ipp_fail(
				err, -rc,
				"%zu bytes of an array cannot be written to descriptor %d: %s; make room "
				"there, or write to another",
				array->bytes, fd, strerror(-rc))
		      : 0;
}
