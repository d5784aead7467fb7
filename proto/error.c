#include "proto/error.h"

#include <stdarg.h>
#include <stdio.h>

int ipp_describe(struct ipp_error *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list args;

		err->code = code;
		errno = code;
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
	}
	return -code;
}
