#include <errno.h>
#include <string.h>

#include "client/libipp/array_file.h"
#include "client/libipp/given.h"
#include "client/libipp/pushes.h"
#include "proto/variable.h"

static int push(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		const char *name, const struct ipp_value *value, struct blob *payload,
		struct ipp_error *err)
{
	struct pushes pushes = {.client = client, .name = name};
	int rc = pushes_send(&pushes, targets, n_targets, value, payload, err);

	return rc == 0 ? pushes_finish(&pushes, err) : rc;
}

int ipp_push(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     const struct ipp_value *value, struct ipp_error *err)
{
	struct blob *payload = NULL;
	int rc = given_check(name, value, err);

	if (rc < 0)
		return rc;
	if (value->kind == IPP_ARRAY) {
		payload = blob_copy(value->data, value->bytes);
		if (!payload)
			return ipp_fail(err, ENOMEM, "out of memory for '%s', %zu bytes", name,
					value->bytes);
	}
	rc = push(client, targets, n_targets, name, value, payload, err);
	blob_unref(payload);
	return rc;
}

int ipp_push_file(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		  const char *name, const char *path, struct ipp_error *err)
{
	struct blob *payload = NULL;
	struct array_file file;
	int rc = variable_check_name(name, err);

	if (rc == 0)
		rc = array_file_open(&file, path, err);
	if (rc != 0)
		return rc;
	rc = blob_from_file(&payload, file.fd, file.npy.data_offset, file.npy.data_bytes, err);
	if (rc == 0)
		rc = push(client, targets, n_targets, name, &file.value, payload, err);
	blob_unref(payload);
	array_file_close(&file);
	return rc;
}
