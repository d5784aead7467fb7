/* client/json_lines.c - the results of tasks for programs: a JSON object a line. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/sink.h"
#include "proto/error.h"
#include "proto/json_text.h"

/* Bytes that are encoded at once, for lengths are int there: a multiple of 3. */
#define PART_BYTES 49152

/* In base 64 (gives); NULL when out of memory. */
static char *encode(const uint8_t *bytes, size_t n)
{
	char *encoded = malloc(4 * (n / 3 + 1) + 1);
	char *at = encoded;

	if (!encoded)
		return NULL;
	for (size_t left = n, part; left > 0; left -= part, bytes += part) {
		part = left < PART_BYTES ? left : PART_BYTES;
		at += EVP_EncodeBlock((unsigned char *)at, bytes, (int)part);
	}
	*at = '\0';
	return encoded;
}

/* Text of UTF-8 under `name`; other bytes in base 64 under `name`_base64. */
static int add_bytes(json_t *object, const char *name, const void *bytes, size_t n)
{
	json_t *text = json_stringn(bytes, n);
	char other[64];
	char *encoded;
	int rc;

	if (text)
		return json_object_set_new(object, name, text);
	encoded = encode(bytes, n);
	if (!encoded)
		return -1;
	snprintf(other, sizeof(other), "%s_base64", name);
	rc = json_object_set_new(object, other, json_string(encoded));
	free(encoded);
	return rc;
}

/* JSON knows no infinity and no NaN. */
static json_t *real(double value)
{
	if (isfinite(value))
		return json_real(value);
	return json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static json_t *array(const struct ipp_value *value)
{
	json_t *shape = json_array();
	json_t *object;

	for (size_t i = 0; shape && i < value->n_dims; i++)
		json_array_append_new(shape, json_integer((json_int_t)value->shape[i]));
	object = json_pack("{s:s, s:o, s:b}", "dtype", value->dtype, "shape", shape,
			   "fortran_order", value->fortran_order);
	if (object && add_bytes(object, "data", value->data, value->bytes) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int add_value(json_t *object, const struct ipp_value *value)
{
	switch (value->kind) {
	case IPP_INTEGER:
		return json_object_set_new(object, "value", json_integer(value->integer));
	case IPP_REAL:
		return json_object_set_new(object, "value", real(value->real));
	case IPP_TEXT:
		return add_bytes(object, "value", value->text, value->bytes);
	case IPP_ARRAY:
		return json_object_set_new(object, "value", array(value));
	case IPP_NONE:
		break;
	}
	return json_object_set_new(object, "value", json_null());
}

/* A list where there are several values. */
static int add_item(json_t *object, const struct ended *ended)
{
	const char *text = ended->item.text;
	json_t *list;

	if (ended->item.kind == IPP_NONE) /* of a direct view */
		return 0;
	if (ended->item.kind == IPP_INTEGER)
		return json_object_set_new(object, "item", json_integer(ended->item.integer));
	if (ended->n_values == 1)
		return add_bytes(object, "item", text, ended->item.bytes);
	list = json_array();
	for (size_t i = 0; i < ended->n_values; i++, text += strlen(text) + 1) {
		json_t *value = json_string(text);

		if (!value) { /* not UTF-8: all of them together */
			json_decref(list);
			return add_bytes(object, "item", ended->item.text, ended->item.bytes);
		}
		json_array_append_new(list, value);
	}
	return json_object_set_new(object, "item", list);
}

static json_t *integer_or_null(bool known, int64_t integer)
{
	return known ? json_integer(integer) : json_null();
}

/* What both kinds of task have. */
static json_t *describe(const struct ipp_result *result)
{
	static const char *const outcomes[] = {[IPP_OK] = "ok",
					       [IPP_ERROR] = "error",
					       [IPP_EXITED] = "exited",
					       [IPP_KILLED] = "killed",
					       [IPP_NO_COMMAND] = "not run",
					       [IPP_CANCELLED] = "cancelled",
					       [IPP_LOST] = "lost",
					       [IPP_TIMED_OUT] = "timed out"};
	const bool ran = result->outcome != IPP_LOST && result->outcome != IPP_CANCELLED;
	const bool has_code = result->outcome == IPP_OK || result->outcome == IPP_EXITED ||
			      result->outcome == IPP_NO_COMMAND || result->outcome == IPP_ERROR;
	const bool signalled = result->outcome == IPP_KILLED || result->outcome == IPP_TIMED_OUT;

	return json_pack("{s:I, s:i, s:s, s:o, s:f, s:s, s:o, s:o, s:i, s:o}", "index",
			 (json_int_t)result->index, "engine", (int)result->engine, "host",
			 result->host, "started",
			 ran ? json_real((double)result->started_us / 1e6) : json_null(), "seconds",
			 (double)result->elapsed_us / 1e6, "outcome", outcomes[result->outcome],
			 "exit", integer_or_null(has_code, result->code), "signal",
			 integer_or_null(signalled, result->code), "tries", (int)result->tries + 1,
			 "error", json_text(result->error));
}

static int json_add(struct sink *sink, const struct ended *ended, struct ipp_error *err)
{
	const struct ipp_result *result = ended->result;
	/* 15 digits keep times short; a value is to be read back as it was. */
	const int digits = result->value.kind == IPP_REAL ? 17 : 15;
	json_t *object = describe(result);
	int rc = 0;

	(void)sink;
	if (!object || add_item(object, ended) < 0 || add_value(object, &result->value) < 0 ||
	    add_bytes(object, "stdout", result->out, result->out_bytes) < 0 ||
	    add_bytes(object, "stderr", result->err, result->err_bytes) < 0) {
		json_decref(object);
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory for the JSON of task %llu",
				(unsigned long long)result->index);
	}
	errno = 0;
	if (json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(digits)) < 0 ||
	    putchar('\n') == EOF)
		rc = ipp_fail(err, errno ? errno : EIO,
			      "ipp-run: standard output cannot be written: %m");
	json_decref(object);
	return rc;
}

static int json_close(struct sink *sink, struct ipp_error *err)
{
	(void)err;
	free(sink);
	return 0;
}

int json_open(struct sink **out, struct ipp_error *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	**out = (struct sink){.add = json_add, .close = json_close};
	return 0;
}
