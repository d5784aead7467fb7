#include "client/argument.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/decimal.h"
#include "proto/error.h"

/* Digits alone, which have to fit. */
static int read_integer(struct ipp_value *out, const char *name, const char *text,
			struct ipp_error *err)
{
	long long integer;

	errno = 0;
	integer = strtoll(text, NULL, 10);
	if (errno == ERANGE)
		return ipp_fail(
			err, ERANGE,
			"%.100s=%.100s is beyond the 64 bits of an integer: write it with a "
			"point, as a real of 15 digits, or push it as text with --text",
			name, text);
	*out = (struct ipp_value){.kind = IPP_INTEGER, .integer = integer, .real = (double)integer};
	return 0;
}

static int read_value(struct ipp_value *out, const char *name, const char *text,
		      struct ipp_error *err)
{
	const char *digits = text + (*text == '-' || *text == '+');
	double real;
	int rc;

	if (*digits && digits[strspn(digits, "0123456789")] == '\0')
		return read_integer(out, name, text, err);
	rc = decimal_parse(text, text + strlen(text), &real);
	if (rc == -ERANGE)
		return ipp_fail(err, ERANGE,
				"%.100s=%.100s is beyond the largest real, which is 1.8e308: write "
				"inf, or push it as text with --text",
				name, text);
	if (strcmp(digits, "inf") == 0 || strcmp(digits, "nan") == 0) {
		real = strtod(text, NULL);
		rc = 0;
	}
	*out = rc == 0 ? (struct ipp_value){.kind = IPP_REAL, .real = real}
		       : (struct ipp_value){.kind = IPP_TEXT, .text = text, .bytes = strlen(text)};
	return 0;
}

int argument_read(struct ipp_argument *out, char *word, bool text, struct ipp_error *err)
{
	char *value = word + strcspn(word, "=");

	*value++ = '\0';
	*out = (struct ipp_argument){.name = word};
	if (text) {
		out->value = (struct ipp_value){
			.kind = IPP_TEXT, .text = value, .bytes = strlen(value)};
		return 0;
	}
	if (*value != '@')
		return read_value(&out->value, word, value, err);
	out->file = value + 1;
	return 0;
}
