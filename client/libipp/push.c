#include <errno.h>

#include "client/libipp/errand.h"
#include "client/libipp/given.h"
#include "client/libipp/request.h"
#include "client/libipp/session.h"
#include "proto/array_file.h"
#include "proto/value.h"
#include "proto/variable.h"

void push_frame(struct ipp_request *request, const uint32_t *targets, size_t n_targets,
		size_t total, const struct ipp_value *value, struct blob *payload)
{
	struct link *link = request->client->link;
	Ipp__Targets ranks = IPP__TARGETS__INIT;
	Ipp__Push head = IPP__PUSH__INIT;
	Ipp__Value described;
	Ipp__Array array;

	value_describe(request->name, value, &described, &array);
	ranks.ranks = (uint32_t *)targets;
	ranks.n_ranks = n_targets;
	head.request = request->id;
	head.targets = &ranks;
	head.value = &described;
	head.total = total;
	head.detached = request->detached;
	link_send(link, FRAME_PUSH, &head.base, payload);
	link_flush(link);
}

static int send_value(struct ipp_request *request, const struct ipp_errand *errand,
		      struct ipp_error *err)
{
	const struct ipp_value *value = errand->value;
	struct blob *payload = NULL;
	int rc = given_check(errand->name, value, err);

	if (rc < 0)
		return rc;
	if (value->kind == IPP_ARRAY) {
		payload = blob_copy(value->data, value->bytes);
		if (!payload)
			return ipp_fail(err, ENOMEM, "out of memory for '%s', %zu bytes",
					errand->name, value->bytes);
	}
	push_frame(request, errand->targets, errand->n_targets, 0, value, payload);
	blob_unref(payload);
	return 0;
}

static int send_file(struct ipp_request *request, const struct ipp_errand *errand,
		     struct ipp_error *err)
{
	struct blob *payload = NULL;
	struct array_file file;
	int rc = array_file_open(&file, errand->path, err);

	if (rc != 0)
		return rc;
	rc = blob_from_file(&payload, file.fd, file.npy.data_offset, file.npy.data_bytes, err);
	if (rc == 0)
		push_frame(request, errand->targets, errand->n_targets, 0, &file.value, payload);
	blob_unref(payload);
	array_file_close(&file);
	return rc;
}

int push_send(struct ipp_request *request, const struct ipp_errand *errand, struct ipp_error *err)
{
	return errand->path ? send_file(request, errand, err) : send_value(request, errand, err);
}

int ipp_push(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     const struct ipp_value *value, struct ipp_error *err)
{
	const struct ipp_errand errand = {.what = IPP_PUSH,
					  .targets = targets,
					  .n_targets = n_targets,
					  .name = name,
					  .value = value};

	return errand_run(client, &errand, err);
}

int ipp_push_file(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		  const char *name, const char *path, struct ipp_error *err)
{
	const struct ipp_errand errand = {.what = IPP_PUSH,
					  .targets = targets,
					  .n_targets = n_targets,
					  .name = name,
					  .path = path};

	return errand_run(client, &errand, err);
}
