#include <errno.h>

#include "client/libipp/errand.h"
#include "client/libipp/request.h"
#include "client/libipp/rows.h"
#include "client/libipp/session.h"
#include "proto/array_file.h"

#define BACKLOG_MAX (4u << 20)

/* An array to cut, in memory and perhaps in a file. */
struct source {
	struct npy npy;
	const uint8_t *data;
	int fd; /* -1: memory alone */
};

static int check(const struct npy *npy, size_t n_targets, const char *whence, struct ipp_error *err)
{
	if (npy->n_dims == 0)
		return ipp_fail(err, EINVAL,
				"%s: holds a single item (shape ()): there is no first axis to "
				"scatter along; push it",
				whence);
	if (npy->shape[0] < n_targets)
		return ipp_fail(err, EINVAL,
				"%s: has %llu rows, too few for %zu engines: choose fewer with "
				"--targets",
				whence, (unsigned long long)npy->shape[0], n_targets);
	return 0;
}

/* Rows from .. to-1, copied once into memory of their own (gives). */
static int cut(const struct source *source, uint64_t from, uint64_t to, struct blob **out,
	       struct ipp_error *err)
{
	const struct npy part = rows_part(&source->npy, to - from);
	const size_t offset = rows_part(&source->npy, from).data_bytes;
	struct blob *blob;
	int rc;

	if (!source->npy.fortran && source->fd >= 0)
		return blob_from_file(out, source->fd, source->npy.data_offset + offset,
				      part.data_bytes, err);
	if (!source->npy.fortran) {
		*out = blob_copy(source->data + offset, part.data_bytes);
		return *out ? 0 : ipp_fail(err, ENOMEM, "out of memory for a share");
	}
	blob = blob_new(part.data_bytes);
	if (!blob)
		return ipp_fail(err, ENOMEM, "out of memory for a share");
	rows_out(&source->npy, source->data, from, to - from, blob->data);
	rc = blob_seal(blob, err);
	if (rc < 0)
		blob_unref(blob);
	else
		*out = blob;
	return rc;
}

static bool is_taken(const void *what)
{
	const struct ipp_client *client = what;

	return client->link && link_backlog(client->link) < BACKLOG_MAX;
}

/* Room for another part: what waits here holds a descriptor and memory each. */
static int make_room(struct ipp_request *request, struct ipp_error *err)
{
	struct ipp_client *client = request->client;
	int rc = is_taken(client) ? 0 : session_until(client, is_taken, client, -1, err);

	if (rc == 0 && request->over) /* somebody cancelled it */
		rc = request_verdict(request, err);
	return rc;
}

static int send_parts(struct ipp_request *request, const struct ipp_errand *errand,
		      const struct source *source, struct ipp_error *err)
{
	const uint64_t n_rows = source->npy.shape[0];
	const size_t n = errand->n_targets;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		const uint64_t from = rows_share(n_rows, n, i), to = rows_share(n_rows, n, i + 1);
		const struct npy part = rows_part(&source->npy, to - from);
		const struct ipp_value value = {.kind = IPP_ARRAY,
						.bytes = part.data_bytes,
						.dtype = part.dtype,
						.shape = part.shape,
						.n_dims = part.n_dims,
						.fortran_order = part.fortran};
		struct blob *payload = NULL;

		rc = cut(source, from, to, &payload, err);
		if (rc == 0)
			rc = make_room(request, err);
		if (rc == 0)
			push_frame(request, errand->targets + i, 1, n, &value, payload);
		blob_unref(payload);
	}
	return rc;
}

static int send_value(struct ipp_request *request, const struct ipp_errand *errand,
		      struct ipp_error *err)
{
	struct source source = {.data = errand->value->data, .fd = -1};
	int rc = rows_describe(&source.npy, errand->value, errand->name, err);

	if (rc == 0)
		rc = check(&source.npy, errand->n_targets, errand->name, err);
	return rc == 0 ? send_parts(request, errand, &source, err) : rc;
}

static int send_file(struct ipp_request *request, const struct ipp_errand *errand,
		     struct ipp_error *err)
{
	struct array_file file;
	struct source source;
	int rc = array_file_open(&file, errand->path, err);

	if (rc != 0)
		return rc;
	source = (struct source){.npy = file.npy, .data = file.value.data, .fd = file.fd};
	rc = check(&source.npy, errand->n_targets, errand->path, err);
	if (rc == 0)
		rc = send_parts(request, errand, &source, err);
	array_file_close(&file);
	return rc;
}

int scatter_send(struct ipp_request *request, const struct ipp_errand *errand,
		 struct ipp_error *err)
{
	return errand->path ? send_file(request, errand, err) : send_value(request, errand, err);
}

int ipp_scatter(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		const char *name, const struct ipp_value *array, struct ipp_error *err)
{
	const struct ipp_errand errand = {.what = IPP_SCATTER,
					  .targets = targets,
					  .n_targets = n_targets,
					  .name = name,
					  .value = array};

	return errand_run(client, &errand, err);
}

int ipp_scatter_file(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
		     const char *name, const char *path, struct ipp_error *err)
{
	const struct ipp_errand errand = {.what = IPP_SCATTER,
					  .targets = targets,
					  .n_targets = n_targets,
					  .name = name,
					  .path = path};

	return errand_run(client, &errand, err);
}
