#include "client/value_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/decimal.h"
#include "proto/error.h"
#include "proto/npy.h"

#define LARGE_BYTES 65536 /* less is gathered with what comes before and after */

static bool is_stdout(const char *path)
{
	return strcmp(path, "-") == 0;
}

static bool is_npy(const struct output *output)
{
	return npy_is_named(output->path) || is_stdout(output->path);
}

int value_file_check(const char *path, struct ipp_error *err)
{
	if (is_stdout(path) && isatty(STDOUT_FILENO))
		return ipp_fail(err, EINVAL,
				"-o -: standard output is a terminal, which an array would upset: "
				"redirect it, or give a file");
	return output_check(path, err);
}

static int add(struct output *output, const void *data, size_t bytes, struct ipp_error *err)
{
	if (bytes == 0 || fwrite(data, 1, bytes, output->file) == bytes)
		return 0;
	return ipp_fail(err, errno, "%s: cannot be written: %m", output->path);
}

int value_file_add(struct output *output, const struct ipp_value *array, struct ipp_error *err)
{
	int rc;

	if (array->bytes < LARGE_BYTES)
		return add(output, array->data, array->bytes, err);
	rc = output_flush(output->file, output->path, err);
	if (rc == 0 && ipp_value_write(array, fileno(output->file), err) < 0)
		rc = ipp_fail(err, err->code, "%s: cannot be written: %s", output->path,
			      strerror(err->code));
	return rc;
}

int value_file_begin(struct output *output, const struct ipp_value *whole, struct ipp_error *err)
{
	char header[NPY_HEADER_MAX];
	struct npy npy;
	int rc;

	if (!is_npy(output))
		return 0;
	rc = npy_init(&npy, whole->dtype, whole->n_dims, whole->shape, whole->fortran_order,
		      output->path, err);
	return rc < 0 ? rc : add(output, header, npy_header(&npy, header), err);
}

static int save_array(struct output *output, const struct ipp_value *array, struct ipp_error *err)
{
	const int rc = value_file_begin(output, array, err);

	return rc < 0 ? rc : value_file_add(output, array, err);
}

/* As np.save(path, np.int64(5)) does. */
static int save_number(struct output *output, const struct ipp_value *number, struct ipp_error *err)
{
	const bool integer = number->kind == IPP_INTEGER;
	const struct ipp_value array = {.kind = IPP_ARRAY,
					.bytes = 8,
					.dtype = integer ? "=i8" : "=f8",
					.data = integer ? (const void *)&number->integer
							: (const void *)&number->real};
	char text[DECIMAL_BYTES], line[40];

	if (is_npy(output))
		return save_array(output, &array, err);
	if (integer)
		snprintf(line, sizeof(line), "%lld\n", (long long)number->integer);
	else
		snprintf(line, sizeof(line), "%s\n", decimal_text(number->real, false, text));
	return add(output, line, strlen(line), err);
}

static int save(struct output *output, const struct ipp_value *value, struct ipp_error *err)
{
	if (value->kind == IPP_ARRAY)
		return save_array(output, value, err);
	if (value->kind != IPP_TEXT)
		return save_number(output, value, err);
	if (npy_is_named(output->path))
		return ipp_fail(err, EINVAL,
				"%s: the value is a text, not an array: choose a name without .npy",
				output->path);
	return add(output, value->text, value->bytes, err);
}

int value_file_save(const char *path, const struct ipp_value *value, struct ipp_error *err)
{
	struct output output;
	int rc = output_open(&output, path, err);

	if (rc < 0)
		return rc;
	rc = save(&output, value, err);
	if (rc == 0)
		rc = output_commit(&output, err);
	output_fini(&output);
	return rc;
}
