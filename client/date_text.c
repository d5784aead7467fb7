#include "client/date_text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static const struct unit {
	const char *name;
	int n_fields;           /* year, month, day, hour, minute, second: so many are said */
	int n_digits;           /* and so many of the second's fraction */
	int64_t months;         /* either; */
	int64_t seconds, parts; /* or seconds, or the parts of one */
} units[] = {
	{ "Y",  1, 0,  12, 0,      0 },
	{ "M",  2, 0,  1,  0,      0 },
	{ "W",  3, 0,  0,  604800, 1 },
	{ "D",  3, 0,  0,  86400,  1 },
	{ "h",  4, 0,  0,  3600,   1 },
	{ "m",  5, 0,  0,  60,     1 },
	{ "s",  6, 0,  0,  1,      1 },
	{ "ms", 6, 3,  0,  1,      1000 },
	{ "us", 6, 6,  0,  1,      1000000 },
	{ "ns", 6, 9,  0,  1,      1000000000 },
	{ "ps", 6, 12, 0,  1,      1000000000000 },
	{ "fs", 6, 15, 0,  1,      1000000000000000 },
	{ "as", 6, 18, 0,  1,      1000000000000000000 },
};
/* clang-format on */

/* "<M8[25us]" has *multiple 25; NULL: it has no unit. */
static const struct unit *unit_of(const char *dtype, int64_t *multiple)
{
	const char *text = strchr(dtype, '[');
	char *name;

	if (!text)
		return NULL;
	*multiple = strtoll(text + 1, &name, 10);
	if (name == text + 1)
		*multiple = 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strncmp(units[i].name, name, strcspn(name, "]")) == 0 &&
		    strlen(units[i].name) == strcspn(name, "]"))
			return &units[i];
	return NULL;
}

/* Rounded down; the rest in *rest. */
static int64_t divide(int64_t value, int64_t by, int64_t *rest)
{
	int64_t quotient = value / by;

	*rest = value % by;
	if (*rest < 0) {
		*rest += by;
		quotient--;
	}
	return quotient;
}

/* False: it lies beyond all years.
 *   rest  in parts of a second */
static bool date_of(int64_t value, const struct unit *unit, struct tm *date, int64_t *rest)
{
	time_t seconds;
	int64_t years;

	if (__builtin_mul_overflow(value, unit->months ? unit->months : unit->seconds, &value))
		return false;
	*date = (struct tm){.tm_mday = 1};
	if (unit->months) {
		years = divide(value, 12, rest) + 70;
		date->tm_year = (int)years;
		date->tm_mon = (int)*rest;
		return years >= INT_MIN && years <= INT_MAX;
	}
	seconds = divide(value, unit->parts, rest);
	return gmtime_r(&seconds, date) != NULL;
}

static void print_date(const struct tm *date, const struct unit *unit, int64_t rest,
		       char text[DATE_TEXT_BYTES])
{
	static const char before[] = "--T::";
	const int fields[] = {date->tm_mon + 1, date->tm_mday, date->tm_hour, date->tm_min,
			      date->tm_sec};
	int at = snprintf(text, DATE_TEXT_BYTES, "%04lld", date->tm_year + 1900LL);

	for (int i = 0; i + 1 < unit->n_fields; i++)
		at += snprintf(text + at, DATE_TEXT_BYTES - (size_t)at, "%c%02d", before[i],
			       fields[i]);
	if (unit->n_digits > 0)
		snprintf(text + at, DATE_TEXT_BYTES - (size_t)at, ".%0*" PRId64, unit->n_digits,
			 rest);
}

const char *date_text(int64_t value, const char *dtype, char text[DATE_TEXT_BYTES])
{
	int64_t multiple = 1, units_since, rest;
	const struct unit *unit = dtype[1] == 'M' ? unit_of(dtype, &multiple) : NULL;
	struct tm date;

	if (value == INT64_MIN)
		return "NaT";
	if (unit && !__builtin_mul_overflow(value, multiple, &units_since) &&
	    date_of(units_since, unit, &date, &rest))
		print_date(&date, unit, rest, text);
	else
		snprintf(text, DATE_TEXT_BYTES, "%" PRId64, value);
	return text;
}
