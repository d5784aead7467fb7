#include "client/table.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/csv.h"
#include "proto/error.h"
#include "proto/npy.h"

void table_fini(struct table *table)
{
	free(table->x);
	free(table->y);
	*table = (struct table){.n = 0};
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Read all of `fd`, a pipe perhaps, and put a NUL behind it.  The size says what to expect; a file
 * may grow, and those in /proc have none.  Not mapped: a file cut short by another program would
 * kill us with SIGBUS. */
static int read_all(int fd, char **out, size_t *out_bytes)
{
	struct stat status;
	size_t room = 64 * 1024;
	size_t bytes = 0;
	char *text;

	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (size_t)status.st_size >= room)
		room = (size_t)status.st_size + 2; /* for the NUL, and to see the end */
	text = malloc(room);
	while (text) {
		ssize_t got = read(fd, text + bytes, room - bytes - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int rc = -errno;

			free(text);
			return rc;
		}
		if (got == 0) {
			text[bytes] = '\0';
			*out = text;
			*out_bytes = bytes;
			return 0;
		}
		bytes += (size_t)got;
		if (bytes == room - 1) {
			char *larger = realloc(text, room * 2);

			if (!larger)
				free(text);
			text = larger;
			room *= 2;
		}
	}
	return -ENOMEM;
}

static int read_file(const char *path, char **out, size_t *out_bytes, struct ipp_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : read_all(fd, out, out_bytes);

	if (fd >= 0)
		close(fd);
	return rc < 0 ? ipp_fail(err, -rc, "%s: cannot be read: %m", path) : 0;
}

/* ---- .npy ----------------------------------------------------------------------------------- */

/* The array as it is in the file, and as doubles (gives). */
static int read_array(const char *path, struct npy *npy, double **out, struct ipp_error *err)
{
	double *items = NULL;
	char *file = NULL;
	size_t bytes = 0;
	int rc;

	rc = read_file(path, &file, &bytes, err);
	if (rc == 0)
		rc = npy_parse(npy, file, bytes, path, err);
	if (rc < 0)
		goto out;
	items = reallocarray(NULL, npy->n_items + 1, sizeof(*items));
	if (!items) {
		rc = -ENOMEM;
		ipp_fail(err, ENOMEM, "%s: cannot be read: %m", path);
		goto out;
	}
	rc = npy_doubles(npy, file + npy->data_offset, items, path, err);
	if (rc == 0) {
		*out = items;
		items = NULL;
	}
out:
	free(items);
	free(file);
	return rc;
}

static int check_x(const struct npy *npy, const double *x, const char *path, struct ipp_error *err)
{
	char shape[80];

	npy_shape_text(npy, shape, sizeof(shape));
	if (npy->n_dims != 2)
		return ipp_fail(err, EINVAL,
				"%s: has shape %s; --x takes two dimensions, rows and features%s",
				path, shape,
				npy->n_dims == 1 ? ": save it with .reshape(-1, 1)" : "");
	if (npy->n_items == 0)
		return ipp_fail(err, EINVAL,
				"%s: has shape %s; --x takes at least one row and one feature",
				path, shape);
	for (size_t i = 0; i < npy->n_items; i++)
		if (!isfinite(x[i]))
			return ipp_fail(
				err, EINVAL,
				"%s: X[%zu, %zu] is %g; fill in what is missing, or leave the "
				"row out",
				path, i / npy->shape[1], i % npy->shape[1], x[i]);
	return 0;
}

static int check_y(const struct npy *npy, const double *y, const char *path, size_t n_rows,
		   const char *x_path, struct ipp_error *err)
{
	char shape[80];

	npy_shape_text(npy, shape, sizeof(shape));
	if (npy->n_dims != 1)
		return ipp_fail(err, EINVAL, "%s: has shape %s; --y takes one dimension%s", path,
				shape, npy->n_items == n_rows ? ": save it with .ravel()" : "");
	if (npy->n_items != n_rows)
		return ipp_fail(err, EINVAL,
				"%s: has %zu items, and %s %zu rows; both need as many", path,
				npy->n_items, x_path, n_rows);
	for (size_t i = 0; i < n_rows; i++)
		if (!isfinite(y[i]))
			return ipp_fail(
				err, EINVAL,
				"%s: Y[%zu] is %g; fill in what is missing, or leave the row out",
				path, i, y[i]);
	return 0;
}

int table_from_npy(struct table *out, const char *x_path, const char *y_path, struct ipp_error *err)
{
	struct table table = {.n = 0};
	struct npy npy = {.n_dims = 0};
	int rc;

	rc = read_array(x_path, &npy, &table.x, err);
	if (rc == 0)
		rc = check_x(&npy, table.x, x_path, err);
	if (rc < 0)
		goto out;
	table.n = npy.shape[0];
	table.p = npy.shape[1];
	if (y_path)
		rc = read_array(y_path, &npy, &table.y, err);
	if (rc == 0 && y_path)
		rc = check_y(&npy, table.y, y_path, table.n, x_path, err);
	if (rc == 0) {
		*out = table;
		table = (struct table){.n = 0};
	}
out:
	table_fini(&table);
	return rc;
}

/* ---- CSV ------------------------------------------------------------------------------------ */

int table_from_csv(struct table *out, const char *path, const char *target, struct ipp_error *err)
{
	char *text = NULL;
	size_t bytes = 0;
	int rc;

	rc = read_file(path, &text, &bytes, err);
	if (rc == 0)
		rc = csv_table(out, text, bytes, target, path, err);
	free(text);
	return rc;
}
