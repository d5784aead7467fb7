#include "client/ranges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"

struct ranges {
	const char *at;	 /* in text */
	bool *chosen;	 /* [bound] */
	size_t *numbers; /* those, in the order they were named */
	size_t n;
	size_t bound;
	const char *text, *option, *noun;
	struct ipp_error *err;
};

/* begin, begin + step, ... below end */
struct range {
	size_t begin, end, step;
};

static int not_understood(const struct ranges *ranges)
{
	return ipp_fail(ranges->err, EINVAL,
			"%s: '%.100s' is not understood; write all, 0,2-5 or 0:%zu:2",
			ranges->option, ranges->text, ranges->bound);
}

static bool at_digit(const struct ranges *ranges)
{
	return *ranges->at >= '0' && *ranges->at <= '9';
}

static bool take(struct ranges *ranges, char wanted)
{
	if (*ranges->at != wanted)
		return false;
	ranges->at++;
	return true;
}

/* What exceeds a size_t becomes SIZE_MAX, which no bound admits. */
static size_t read_number(struct ranges *ranges, size_t otherwise)
{
	size_t value = at_digit(ranges) ? 0 : otherwise;

	for (; at_digit(ranges); ranges->at++)
		if (__builtin_mul_overflow(value, (size_t)10, &value) ||
		    __builtin_add_overflow(value, (size_t)(*ranges->at - '0'), &value))
			value = SIZE_MAX;
	return value;
}

static int read_range(struct ranges *ranges, struct range *range)
{
	bool open = !at_digit(ranges);

	range->begin = read_number(ranges, 0);
	range->step = 1;
	if (take(ranges, ':')) {
		range->end = read_number(ranges, ranges->bound);
		if (take(ranges, ':'))
			range->step = read_number(ranges, 1);
		return 0;
	}
	range->end = range->begin;
	if (!open && take(ranges, '-')) {
		open = !at_digit(ranges);
		range->end = read_number(ranges, 0);
	}
	if (open)
		return not_understood(ranges);
	range->end += range->end < SIZE_MAX; /* both ends belong to it */
	return 0;
}

static void choose_one(struct ranges *ranges, size_t number)
{
	if (!ranges->chosen[number])
		ranges->numbers[ranges->n++] = number;
	ranges->chosen[number] = true;
}

static int choose(struct ranges *ranges, const struct range *range)
{
	size_t last = range->begin;

	if (range->step == 0)
		return ipp_fail(ranges->err, EINVAL, "%s: '%.100s' has a step of 0: give another",
				ranges->option, ranges->text);
	if (range->begin < ranges->bound && range->begin >= range->end)
		return ipp_fail(
			ranges->err, EINVAL,
			"%s: '%.100s' has a range with no %s in it: write the lower end first",
			ranges->option, ranges->text, ranges->noun);
	if (range->begin < range->end)
		last += (range->end - 1 - range->begin) / range->step * range->step;
	if (last >= ranges->bound)
		return ipp_fail(ranges->err, ERANGE, "%s: there is no %s %zu; the last one is %zu",
				ranges->option, ranges->noun, last, ranges->bound - 1);

	for (size_t i = range->begin; i < last; i += range->step)
		choose_one(ranges, i);
	choose_one(ranges, last);
	return 0;
}

static int read_ranges(struct ranges *ranges)
{
	struct range range = {.begin = 0, .end = ranges->bound, .step = 1};
	int rc;

	if (strcmp(ranges->text, "all") == 0)
		return choose(ranges, &range);
	do {
		rc = read_range(ranges, &range);
		if (rc == 0 && *ranges->at && *ranges->at != ',')
			rc = not_understood(ranges);
		if (rc == 0)
			rc = choose(ranges, &range);
	} while (rc == 0 && take(ranges, ','));
	return rc;
}

int ranges_in_order(size_t **out, size_t *n_out, const char *text, size_t bound, const char *option,
		    const char *noun, struct ipp_error *err)
{
	struct ranges ranges = {
		.at = text,
		.bound = bound,
		.text = text,
		.option = option,
		.noun = noun,
		.err = err,
	};
	int rc;

	if (bound == 0)
		return ipp_fail(err, ERANGE, "%s: there is no %s at all", option, noun);
	ranges.chosen = calloc(bound, sizeof(*ranges.chosen));
	ranges.numbers = reallocarray(NULL, bound, sizeof(*ranges.numbers));
	if (!ranges.chosen || !ranges.numbers)
		rc = ipp_fail(err, ENOMEM, "%s: %m", option);
	else
		rc = read_ranges(&ranges);
	free(ranges.chosen);
	if (rc < 0) {
		free(ranges.numbers);
		return rc;
	}
	*out = ranges.numbers;
	*n_out = ranges.n;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

int ranges_parse(size_t **out, size_t *n_out, const char *text, size_t bound, const char *option,
		 const char *noun, struct ipp_error *err)
{
	const int rc = ranges_in_order(out, n_out, text, bound, option, noun, err);

	if (rc == 0)
		qsort(*out, *n_out, sizeof(**out), by_number);
	return rc;
}
