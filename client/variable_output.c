#include "client/variable_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/output.h"
#include "client/value_file.h"
#include "client/verb.h"
#include "proto/npy.h"

/* ---- a value of each ---- */

/* FILE.npy of engine 3 is FILE.3.npy where there are several (gives; free()). */
static char *file_of(const struct variable_output *output, uint32_t rank)
{
	const char *path = output->path;
	const char *ending = npy_is_named(path) ? path + strlen(path) - 4 : path + strlen(path);
	char *out;

	if (output->n == 1)
		return strdup(path);
	if (asprintf(&out, "%.*s.%u%s", (int)(ending - path), path, rank, ending) < 0)
		return NULL;
	return out;
}

int variable_output_check(const struct variable_output *output, const uint32_t *ranks,
			  struct ipp_error *err)
{
	int rc = 0;

	if (!output->path)
		return 0;
	if (output->n > 1 && strcmp(output->path, "-") == 0)
		return ipp_fail(err, EINVAL,
				"-o -: standard output takes the value of one engine: choose it "
				"with --targets");
	for (size_t i = 0; rc == 0 && i < output->n; i++) {
		char *path = file_of(output, ranks[i]);

		rc = path ? value_file_check(path, err)
			  : ipp_fail(err, ENOMEM, "ipp-run: out of memory");
		free(path);
	}
	return rc;
}

int variable_output_value(const struct variable_output *output, uint32_t rank,
			  const struct ipp_value *value, struct ipp_error *err)
{
	char *path;
	int rc;

	if (!output->path) {
		verb_print_value(stdout, value);
		return output_flush(stdout, "standard output", err);
	}
	path = file_of(output, rank);
	rc = path ? value_file_save(path, value, err)
		  : ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	free(path);
	return rc;
}

/* ---- lists ---- */

/* On one line, and without what would upset a terminal. */
static void print_text(const char *text)
{
	static const char special[] = "\n\t\r\\", letters[] = "ntr\\";

	for (; *text; text++) {
		const char *found = strchr(special, *text);

		if (found)
			printf("\\%c", letters[found - special]);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			printf("\\x%02x", (unsigned char)*text);
		else
			putchar(*text);
	}
	putchar('\n');
}

void variable_output_list(uint32_t rank, const struct ipp_variable *variables, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%u %s ", rank, variables[i].name);
		if (variables[i].value.kind == IPP_TEXT)
			print_text(variables[i].value.text);
		else
			verb_print_value(stdout, &variables[i].value);
	}
}

/* ---- parts of an array ---- */

/* Bytes of what is read for people; of what is larger they are told what it is like. */
#define SHOWN_MAX 65536

struct joining {
	struct output *output; /* NULL: for people */
	struct ipp_error *err;
	bool in_memory; /* where it has to be put together */
	bool described;
};

static int begin(void *owner, const struct ipp_value *whole)
{
	struct joining *joining = owner;

	joining->in_memory = joining->output ? whole->fortran_order : whole->bytes <= SHOWN_MAX;
	joining->described = !joining->output && !joining->in_memory;
	if (joining->described)
		verb_print_value(stdout, whole);
	return joining->described || joining->in_memory
		       ? -ECANCELED
		       : value_file_begin(joining->output, whole, joining->err);
}

static int take(void *owner, size_t place, const struct ipp_value *part)
{
	const struct joining *joining = owner;

	(void)place;
	return value_file_add(joining->output, part, joining->err);
}

static int join_in_memory(const struct parts *parts, struct output *output, struct ipp_error *err)
{
	struct ipp_gathered gathered;
	int rc = parts->whole(parts->from, &gathered, err);

	if (rc < 0)
		return rc;
	if (!output)
		verb_print_value(stdout, &gathered.value);
	else
		rc = value_file_begin(output, &gathered.value, err);
	if (rc == 0 && output)
		rc = value_file_add(output, &gathered.value, err);
	ipp_gathered_free(&gathered);
	return rc;
}

int variable_output_joined(const char *path, const struct parts *parts, struct ipp_error *err)
{
	struct output output = {.file = NULL};
	struct joining joining = {.err = err};
	int rc = 0;

	if (path) {
		rc = value_file_check(path, err);
		if (rc == 0)
			rc = output_open(&output, path, err);
		if (rc < 0)
			return rc;
		joining.output = &output;
	}
	rc = parts->each(parts->from, begin, take, &joining, err);
	if (joining.in_memory)
		rc = join_in_memory(parts, joining.output, err);
	if (rc == 0 && joining.output)
		rc = output_commit(&output, err);
	if (joining.described || (rc == 0 && !joining.output))
		rc = output_flush(stdout, "standard output", err);
	output_fini(&output);
	return rc;
}
