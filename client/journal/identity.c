#include "client/journal/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/error.h"

/* Each thing with its length before it, so that nothing can stand for something else. */
static void add_bytes(struct digest *digest, const void *bytes, uint64_t n)
{
	digest_add(digest, &n, sizeof(n));
	digest_add(digest, bytes, n);
}

static void add_text(struct digest *digest, const char *text)
{
	add_bytes(digest, text, strlen(text));
}

static int add_file(struct digest *digest, const char *path, struct ipp_error *err)
{
	FILE *file = fopen(path, "re");
	uint64_t bytes = 0;
	char part[65536];
	size_t n;
	int rc = 0;

	if (!file)
		return ipp_fail(err, errno, "%s cannot be read: %m", path);
	while ((n = fread(part, 1, sizeof(part), file)) > 0) {
		digest_add(digest, part, n);
		bytes += n;
	}
	if (ferror(file))
		rc = ipp_fail(err, errno, "%s cannot be read: %m", path);
	fclose(file);
	digest_add(digest, &bytes, sizeof(bytes));
	return rc;
}

static void add_value(struct digest *digest, const struct ipp_value *value)
{
	digest_add(digest, &value->kind, sizeof(value->kind));
	switch (value->kind) {
	case IPP_INTEGER:
		digest_add(digest, &value->integer, sizeof(value->integer));
		break;
	case IPP_REAL:
		digest_add(digest, &value->real, sizeof(value->real));
		break;
	case IPP_TEXT:
		add_bytes(digest, value->text, value->bytes);
		break;
	case IPP_ARRAY:
		add_text(digest, value->dtype);
		add_bytes(digest, value->shape, value->n_dims * sizeof(*value->shape));
		digest_add(digest, &value->fortran_order, sizeof(value->fortran_order));
		add_bytes(digest, value->data, value->bytes);
		break;
	case IPP_NONE:
		break;
	}
}

static int add_arguments(struct digest *digest, const struct ipp_argument *arguments, size_t n,
			 struct ipp_error *err)
{
	int rc = 0;

	digest_add(digest, &n, sizeof(n));
	for (size_t i = 0; rc == 0 && i < n; i++) {
		add_text(digest, arguments[i].name);
		if (arguments[i].file)
			rc = add_file(digest, arguments[i].file, err);
		else
			add_value(digest, &arguments[i].value);
	}
	return rc;
}

/* "PATH/MODULE.so:NAME": its NAME and its bytes, wherever it lies.  One without a slash is ours. */
static int add_function(struct digest *digest, const char *function, struct ipp_error *err)
{
	const char *colon = strrchr(function, ':');
	char path[4096];

	if (!strchr(function, '/')) {
		add_text(digest, IPP_VERSION);
		add_text(digest, function);
		return 0;
	}
	add_text(digest, colon ? colon : "");
	snprintf(path, sizeof(path), "%.*s", (int)(colon ? colon - function : 0), function);
	return add_file(digest, path, err);
}

static void add_command(struct digest *digest, const char *const *argv)
{
	for (; *argv; argv++)
		add_text(digest, *argv);
}

int identity_init(struct identity *out, const struct ipp_run *run,
		  const struct ipp_argument *variables, size_t n_variables, struct ipp_error *err)
{
	struct digest *digest = digest_new();
	int rc = 0;

	if (!digest)
		return ipp_fail(err, ENOMEM, "out of memory");
	*out = (struct identity){.label = ""};
	snprintf(out->label, sizeof(out->label), "%s", run->label ? run->label : run->function);
	digest_begin(digest);
	add_text(digest, run->function ? "function" : "command");
	if (run->function)
		rc = add_function(digest, run->function, err);
	else
		add_command(digest, run->argv);
	if (rc == 0)
		rc = add_arguments(digest, run->arguments, run->n_arguments, err);
	if (rc == 0 && run->rows)
		add_text(digest, "rows");
	if (rc == 0)
		rc = add_arguments(digest, variables, n_variables, err);
	digest_end(digest, out->digest);
	digest_free(digest);
	return rc;
}
