#include "client/argument.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct ipp_value read_value(const char *word, bool text)
{
	const char *digits = word + (*word == '-' || *word == '+');
	char *end;
	long long integer;
	double real;

	if (!text && *digits &&
	    (strchr("0123456789.", *digits) || strcmp(digits, "inf") == 0 ||
	     strcmp(digits, "nan") == 0)) {
		errno = 0;
		integer = strtoll(word, &end, 10);
		if (*end == '\0' && errno == 0)
			return (struct ipp_value){
				.kind = IPP_INTEGER, .integer = integer, .real = (double)integer};
		real = strtod(word, &end);
		if (*end == '\0')
			return (struct ipp_value){.kind = IPP_REAL, .real = real};
	}
	return (struct ipp_value){.kind = IPP_TEXT, .text = word, .bytes = strlen(word)};
}

void argument_read(struct ipp_argument *out, char *word, bool text)
{
	char *value = word + strcspn(word, "=");

	*value++ = '\0';
	*out = (struct ipp_argument){.name = word};
	if (*value == '@' && !text)
		out->file = value + 1;
	else
		out->value = read_value(value, text);
}
