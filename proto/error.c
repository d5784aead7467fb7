#include "proto/error.h"

#include <stdarg.h>
#include <stdio.h>

void ipp_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int ipp_describe(struct ipp_error *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list args;

		err->code = code;
		errno = code;
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
		ipp_one_line(err->text);
	}
	return -code;
}
