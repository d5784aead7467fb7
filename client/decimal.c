#include "client/decimal.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Wider intermediates would round the short path's results twice. */
_Static_assert(FLT_EVAL_METHOD == 0, "doubles are computed as doubles");

#define EXACT_INTEGER (UINT64_C(1) << 53) /* up to here every integer is a double */
#define EXACT_POWER 22			  /* and so is every power of ten up to here */
#define MANTISSA_DIGITS 19		  /* as many digits always fit a uint64_t */
#define POWER_DIGITS 19			  /* and so does ten to this power */

static const double exact_powers[EXACT_POWER + 1] = {
	1e0,  1e1,  1e2,  1e3,	1e4,  1e5,  1e6,  1e7,	1e8,  1e9,  1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* mantissa * 10**exponent, the digits as written */
struct decimal {
	bool negative;
	uint64_t mantissa;
	int n_digits; /* of the mantissa, without leading zeros; beyond MANTISSA_DIGITS it is no
			 good */
	int exponent;
};

static const char *read_digits(const char *at, const char *end, struct decimal *decimal)
{
	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		if (decimal->n_digits > 0 || *at != '0')
			decimal->n_digits++;
		if (decimal->n_digits > MANTISSA_DIGITS)
			decimal->n_digits = MANTISSA_DIGITS + 1;
		else
			decimal->mantissa = decimal->mantissa * 10 + (uint64_t)(*at - '0');
	}
	return at;
}

/* From the 'e'; stays there when no digit follows. */
static const char *read_exponent(const char *at, const char *end, struct decimal *decimal)
{
	const char *start = at++;
	bool negative = at < end && *at == '-';
	int exponent = 0;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end || *at < '0' || *at > '9')
		return start;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (exponent < 100000) /* far beyond any double: strtod() will judge */
			exponent = exponent * 10 + (*at - '0');
	decimal->exponent += negative ? -exponent : exponent;
	return at;
}

static bool read_decimal(const char *at, const char *end, struct decimal *decimal)
{
	const char *start, *point;
	bool any;

	if (at < end && (*at == '-' || *at == '+'))
		decimal->negative = *at++ == '-';
	start = at;
	at = read_digits(at, end, decimal);
	any = at > start;
	if (at < end && *at == '.') {
		point = ++at;
		at = read_digits(at, end, decimal);
		any |= at > point;
		if (at - point > 1000)
			decimal->n_digits = MANTISSA_DIGITS + 1;
		else
			decimal->exponent = -(int)(at - point);
	}
	if (any && at < end && (*at == 'e' || *at == 'E'))
		at = read_exponent(at, end, decimal);
	return any && at == end;
}

/* mantissa / 10**power, correctly rounded: both are shifted up to 64 bits, so that the quotient has
 * 63 or 64 bits; its last one then only tells whether anything follows, and the conversion to
 * double rounds once. */
static double divide(uint64_t mantissa, int power)
{
	uint64_t divisor = 1;
	unsigned __int128 dividend;
	uint64_t quotient;
	int up, divisor_up;

	while (power-- > 0)
		divisor *= 10;
	up = __builtin_clzll(mantissa);
	divisor_up = __builtin_clzll(divisor);
	divisor <<= divisor_up;
	dividend = (unsigned __int128)(mantissa << up) << 63;
	quotient = (uint64_t)(dividend / divisor);
	quotient |= dividend % divisor != 0;
	return ldexp((double)quotient, divisor_up - up - 63);
}

int decimal_parse(const char *begin, const char *end, double *out)
{
	struct decimal decimal = {.negative = false};
	double value;

	if (!read_decimal(begin, end, &decimal))
		return -EINVAL;
	if (decimal.n_digits <= MANTISSA_DIGITS && decimal.mantissa <= EXACT_INTEGER &&
	    abs(decimal.exponent) <= EXACT_POWER) {
		/* Two exact operands: one operation rounds once. */
		value = (double)decimal.mantissa;
		if (decimal.exponent < 0)
			value /= exact_powers[-decimal.exponent];
		else
			value *= exact_powers[decimal.exponent];
	} else if (decimal.n_digits <= MANTISSA_DIGITS && decimal.mantissa > 0 &&
		   decimal.exponent <= 0 && decimal.exponent >= -POWER_DIGITS) {
		value = divide(decimal.mantissa, -decimal.exponent);
	} else {
		/* glibc's "C" is a static object: nothing to fail, nothing to free. */
		value = fabs(strtod_l(begin, NULL, newlocale(LC_ALL_MASK, "C", NULL)));
	}
	if (isinf(value))
		return -ERANGE;
	*out = decimal.negative ? -value : value;
	return 0;
}

const char *decimal_text(double value, bool single, char text[DECIMAL_BYTES])
{
	const int surely = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;

	for (int digits = single ? FLT_DIG : DBL_DIG; digits <= surely; digits++) {
		snprintf(text, DECIMAL_BYTES, "%.*g", digits, value);
		if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
			break;
	}
	return text;
}
