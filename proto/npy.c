#include "proto/npy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/error.h"

static const char magic[6] = "\x93NUMPY";
#define PREFIX_BYTES 8	/* magic, major, minor */
#define ALIGNMENT 64	/* of the data */
#define SPARE_DIGITS 21 /* NumPy leaves room for the growing axis to become this long */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE '<'
#else
#define NATIVE '>'
#endif

/* ---- dtypes ------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	char kind;
	const char *sizes;      /* the numbers that may follow, each in blanks; NULL: any */
	size_t unit_bytes;      /* bytes for each 1 of that number */
	bool ordered;           /* has a byte order at size > 1 */
} kinds[] = {
	{ 'b', " 1 ",        1, true  },
	{ 'i', " 1 2 4 8 ",  1, true  },
	{ 'u', " 1 2 4 8 ",  1, true  },
	{ 'f', " 2 4 8 16 ", 1, true  },
	{ 'c', " 8 16 32 ",  1, true  },
	{ 'M', " 8 ",        1, true  },
	{ 'm', " 8 ",        1, true  },
	{ 'S', NULL,         1, false },
	{ 'V', NULL,         1, false },
	{ 'U', NULL,         4, true  },
};
/* clang-format on */

/* "", "[ns]", "[25us]": what may follow M8 and m8. */
static bool is_time_unit(const char *text)
{
	static const char units[] = " Y M W D h m s ms us ns ps fs as ";
	char wanted[8];
	size_t length;

	if (*text == '\0')
		return true;
	if (*text++ != '[')
		return false;
	text += strspn(text, "0123456789");
	length = strcspn(text, "]");
	if (length < 1 || length > 2 || strcmp(text + length, "]") != 0)
		return false;
	snprintf(wanted, sizeof(wanted), " %.*s ", (int)length, text);
	return strchr(wanted + 1, ' ') == wanted + 1 + length && strstr(units, wanted);
}

static int not_plain(const char *dtype, const char *whence, struct ipp_error *err)
{
	char shown[41];
	size_t n = 0;

	/* It may be any bytes, and messages go to terminals. */
	for (; n < sizeof(shown) - 1 && dtype[n]; n++)
		shown[n] = dtype[n] >= ' ' && dtype[n] <= '~' ? dtype[n] : '?';
	shown[n] = '\0';
	return ipp_fail(err, EINVAL, "%s: '%s' is not one of NumPy's plain dtypes, such as '<f8'",
			whence, shown);
}

static int dtype_init(struct npy *npy, const char *dtype, const char *whence, struct ipp_error *err)
{
	char order = strchr("<>|=", *dtype) && *dtype ? *dtype : '=';
	const char *name = dtype + (order == *dtype);
	const char *number = name + (*name != '\0');
	size_t digits = strspn(number, "0123456789");
	size_t count = 0;
	char wanted[16];
	size_t i;

	if (*name == 'O')
		return ipp_fail(
			err, ENOTSUP,
			"%s: holds pickled Python objects (dtype object), not numbers; save it "
			"with .astype(float)",
			whence);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == *name)
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0]) || digits < 1 || digits > 9 ||
	    (*number == '0' && digits > 1) || strlen(name) + 2 > sizeof(npy->dtype))
		return not_plain(dtype, whence, err);
	if (*name == 'M' || *name == 'm' ? !is_time_unit(number + digits) : number[digits] != '\0')
		return not_plain(dtype, whence, err);

	snprintf(wanted, sizeof(wanted), " %.*s ", (int)digits, number);
	if (kinds[i].sizes && !strstr(kinds[i].sizes, wanted))
		return not_plain(dtype, whence, err);
	for (size_t d = 0; d < digits; d++)
		count = count * 10 + (size_t)(number[d] - '0');

	npy->item_bytes = count * kinds[i].unit_bytes;
	if (!kinds[i].ordered || npy->item_bytes == 1)
		order = '|';
	else if (order == '=' || order == '|')
		order = NATIVE;
	snprintf(npy->dtype, sizeof(npy->dtype), "%c%s", order, name);
	return 0;
}

/* ---- shapes ------------------------------------------------------------------------------- */

void npy_shape_text(const struct npy *npy, char *out, size_t out_bytes)
{
	char text[NPY_DIMS_MAX * 22 + 4] = "(";
	size_t used = 1;

	for (size_t i = 0; i < npy->n_dims; i++)
		used += (size_t)sprintf(text + used, i ? ", %llu" : "%llu",
					(unsigned long long)npy->shape[i]);
	snprintf(text + used, sizeof(text) - used, npy->n_dims == 1 ? ",)" : ")");
	if (strlen(text) < out_bytes)
		snprintf(out, out_bytes, "%s", text);
	else if (out_bytes > 3)
		snprintf(out, out_bytes, "%.*s...", (int)out_bytes - 4, text);
}

/* An axis of length 0 empties the array, yet the others must multiply to what memory could hold, as
 * NumPy demands too. */
static int shape_init(struct npy *npy, const char *whence, struct ipp_error *err)
{
	size_t product = 1;
	size_t bytes;
	size_t n_long = 0;
	bool empty = false;

	for (size_t i = 0; i < npy->n_dims; i++) {
		empty |= npy->shape[i] == 0;
		n_long += npy->shape[i] > 1;
		if (npy->shape[i] > 0 && __builtin_mul_overflow(product, npy->shape[i], &product))
			goto too_large;
	}
	if (__builtin_mul_overflow(product, npy->item_bytes, &bytes) || product > PTRDIFF_MAX ||
	    bytes > PTRDIFF_MAX)
		goto too_large;

	npy->n_items = empty ? 0 : product;
	npy->data_bytes = empty ? 0 : bytes;
	npy->fortran = npy->fortran && !empty && n_long > 1;
	return 0;

too_large : {
	char text[80];

	npy_shape_text(npy, text, sizeof(text));
	return ipp_fail(err, EOVERFLOW, "%s: an array of shape %s and dtype %s fits no memory",
			whence, text, npy->dtype);
}
}

bool npy_is_named(const char *path)
{
	const size_t length = strlen(path);

	return length > 4 && strcmp(path + length - 4, ".npy") == 0;
}

int npy_init(struct npy *out, const char *dtype, size_t n_dims, const uint64_t *shape, bool fortran,
	     const char *whence, struct ipp_error *err)
{
	struct npy npy = {.fortran = fortran, .n_dims = n_dims};
	int rc;

	if (n_dims > NPY_DIMS_MAX)
		return ipp_fail(err, EOVERFLOW, "%s: has %zu dimensions; at most %d are possible",
				whence, n_dims, NPY_DIMS_MAX);
	if (n_dims > 0)
		memcpy(npy.shape, shape, n_dims * sizeof(*shape));
	rc = dtype_init(&npy, dtype, whence, err);
	if (rc == 0)
		rc = shape_init(&npy, whence, err);
	if (rc == 0)
		*out = npy;
	return rc;
}

/* ---- reading the header: a Python dictionary of three keys -------------------------------- */

struct cursor {
	const char *begin, *at, *end;
	const char *whence;
	struct ipp_error *err;
};

struct header {
	char dtype[64];
	bool fortran;
	size_t n_dims;
	uint64_t shape[NPY_DIMS_MAX];
};

static int malformed(const struct cursor *cursor, const char *expected)
{
	return ipp_fail(cursor->err, EINVAL,
			"%s: malformed .npy header: expected %s at its character %zu",
			cursor->whence, expected, (size_t)(cursor->at - cursor->begin) + 1);
}

static void skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->end && *cursor->at && strchr(" \t\r\n", *cursor->at))
		cursor->at++;
}

/* Step over `word` and the blanks before it, if it comes next. */
static bool take(struct cursor *cursor, const char *word)
{
	size_t length = strlen(word);

	skip_blanks(cursor);
	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

static int read_string(struct cursor *cursor, char *out, size_t out_bytes, const char *expected)
{
	const char *start, *close;
	char quote;

	skip_blanks(cursor);
	if (cursor->at == cursor->end || (*cursor->at != '\'' && *cursor->at != '"'))
		return malformed(cursor, expected);
	quote = *cursor->at;
	start = cursor->at + 1;
	close = memchr(start, quote, (size_t)(cursor->end - start));
	if (!close || (size_t)(close - start) >= out_bytes || memchr(start, '\0', close - start))
		return malformed(cursor, expected);
	memcpy(out, start, (size_t)(close - start));
	out[close - start] = '\0';
	cursor->at = close + 1;
	return 0;
}

static int read_length(struct cursor *cursor, uint64_t *out)
{
	const char *start;
	uint64_t value = 0;

	skip_blanks(cursor);
	start = cursor->at;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*cursor->at - '0'), &value))
			return malformed(cursor, "a length below 2**64");
	if (cursor->at == start)
		return malformed(cursor, "a length");
	take(cursor, "L"); /* Python 2 wrote some lengths as 500L */
	*out = value;
	return 0;
}

static int read_descr(struct cursor *cursor, struct header *header)
{
	if (take(cursor, "["))
		return ipp_fail(cursor->err, ENOTSUP,
				"%s: holds records (a structured dtype); save one field of it as a "
				"plain array",
				cursor->whence);
	return read_string(cursor, header->dtype, sizeof(header->dtype), "a dtype such as '<f8'");
}

static int read_order(struct cursor *cursor, struct header *header)
{
	header->fortran = take(cursor, "True");
	if (!header->fortran && !take(cursor, "False"))
		return malformed(cursor, "True or False");
	return 0;
}

static int read_shape(struct cursor *cursor, struct header *header)
{
	bool comma = true; /* (500) is a number in Python, (500,) a tuple */
	int rc;

	if (!take(cursor, "("))
		return malformed(cursor, "a tuple such as (500, 50)");
	while (!take(cursor, ")")) {
		if (!comma)
			return malformed(cursor, "a comma");
		if (header->n_dims == NPY_DIMS_MAX)
			return malformed(cursor, "no more dimensions");
		rc = read_length(cursor, &header->shape[header->n_dims++]);
		if (rc < 0)
			return rc;
		comma = take(cursor, ",");
	}
	if (header->n_dims == 1 && !comma)
		return malformed(cursor, "a tuple such as (500,) just before");
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct cursor *cursor, struct header *header);
} keys[] = {
	{"descr", read_descr},
	{"fortran_order", read_order},
	{"shape", read_shape},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static int read_entry(struct cursor *cursor, struct header *header, bool seen[N_KEYS])
{
	static const char expected[] = "each of 'descr', 'fortran_order' and 'shape' once";
	char key[16];
	size_t i = 0;
	int rc = read_string(cursor, key, sizeof(key), expected);

	if (rc < 0)
		return rc;
	while (i < N_KEYS && strcmp(keys[i].key, key) != 0)
		i++;
	if (i == N_KEYS || seen[i])
		return malformed(cursor, expected);
	seen[i] = true;
	if (!take(cursor, ":"))
		return malformed(cursor, "a colon");
	return keys[i].read(cursor, header);
}

static int read_header(struct cursor *cursor, struct header *header)
{
	bool seen[N_KEYS] = {false};
	bool comma = true;
	int rc;

	if (!take(cursor, "{"))
		return malformed(cursor, "{");
	while (!take(cursor, "}")) {
		if (!comma)
			return malformed(cursor, "a comma");
		rc = read_entry(cursor, header, seen);
		if (rc < 0)
			return rc;
		comma = take(cursor, ",");
	}
	for (size_t i = 0; i < N_KEYS; i++)
		if (!seen[i])
			return ipp_fail(cursor->err, EINVAL,
					"%s: malformed .npy header: no '%s' in it", cursor->whence,
					keys[i].key);
	skip_blanks(cursor);
	if (cursor->at < cursor->end)
		return malformed(cursor, "nothing more");
	return 0;
}

/* Find where the header lies: the prefix says how long the field with its length is. */
static int find_header(struct cursor *cursor, const unsigned char *buffer, size_t bytes)
{
	size_t header_bytes = 0;
	size_t length_bytes;

	if (bytes >= 4 && memcmp(buffer, "PK\3\4", 4) == 0)
		return ipp_fail(cursor->err, EINVAL,
				"%s: is an .npz archive; save each array by itself with np.save",
				cursor->whence);
	if (bytes < sizeof(magic) || memcmp(buffer, magic, sizeof(magic)) != 0)
		return ipp_fail(cursor->err, EINVAL, "%s: is not a .npy file; np.save writes them",
				cursor->whence);
	if (bytes < PREFIX_BYTES)
		return ipp_fail(cursor->err, EINVAL, "%s: is cut short in its .npy header",
				cursor->whence);
	if (buffer[6] < 1 || buffer[6] > 3 || buffer[7] != 0)
		return ipp_fail(
			cursor->err, EINVAL,
			"%s: is in version %u.%u of the .npy format; 1.0, 2.0 and 3.0 can be read",
			cursor->whence, buffer[6], buffer[7]);

	length_bytes = buffer[6] == 1 ? 2 : 4;
	if (bytes - PREFIX_BYTES >= length_bytes)
		for (size_t i = length_bytes; i-- > 0;)
			header_bytes = header_bytes << 8 | buffer[PREFIX_BYTES + i];
	if (bytes - PREFIX_BYTES < length_bytes ||
	    bytes - PREFIX_BYTES - length_bytes < header_bytes)
		return ipp_fail(cursor->err, EINVAL, "%s: is cut short in its .npy header",
				cursor->whence);
	cursor->begin = (const char *)buffer + PREFIX_BYTES + length_bytes;
	cursor->at = cursor->begin;
	cursor->end = cursor->begin + header_bytes;
	return 0;
}

int npy_parse(struct npy *out, const void *buffer, size_t bytes, const char *whence,
	      struct ipp_error *err)
{
	struct cursor cursor = {.whence = whence, .err = err};
	struct header header = {.n_dims = 0};
	struct npy npy;
	size_t there;
	int rc;

	rc = find_header(&cursor, buffer, bytes);
	if (rc == 0)
		rc = read_header(&cursor, &header);
	if (rc == 0)
		rc = npy_init(&npy, header.dtype, header.n_dims, header.shape, header.fortran,
			      whence, err);
	if (rc < 0)
		return rc;

	npy.data_offset = (size_t)(cursor.end - (const char *)buffer);
	there = bytes - npy.data_offset;
	if (there < npy.data_bytes) {
		char text[80];

		npy_shape_text(&npy, text, sizeof(text));
		return ipp_fail(
			err, EINVAL,
			"%s: is cut short: shape %s of dtype %s needs %zu bytes of data, %zu are "
			"there",
			whence, text, npy.dtype, npy.data_bytes, there);
	}
	*out = npy;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

size_t npy_header(const struct npy *npy, char out[NPY_HEADER_MAX])
{
	char shape[NPY_DIMS_MAX * 22 + 4];
	char growing[24] = "";
	size_t used = PREFIX_BYTES + 2;
	size_t padding, header_bytes;

	npy_shape_text(npy, shape, sizeof(shape));
	if (npy->n_dims > 0)
		snprintf(growing, sizeof(growing), "%llu",
			 (unsigned long long)npy->shape[npy->fortran ? npy->n_dims - 1 : 0]);
	used += (size_t)snprintf(out + used, NPY_HEADER_MAX - used,
				 "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }%*s",
				 npy->dtype, npy->fortran ? "True" : "False", shape,
				 npy->n_dims > 0 ? (int)(SPARE_DIGITS - strlen(growing)) : 0, "");
	/* NumPy adds a whole ALIGNMENT of blanks where none is needed. */
	padding = ALIGNMENT - (used + 1) % ALIGNMENT;
	memset(out + used, ' ', padding);
	used += padding;
	out[used++] = '\n';

	header_bytes = used - PREFIX_BYTES - 2;
	memcpy(out, magic, sizeof(magic));
	out[6] = 1;
	out[7] = 0;
	out[8] = (char)(header_bytes & 0xff);
	out[9] = (char)(header_bytes >> 8);
	return used;
}

/* ---- converting --------------------------------------------------------------------------- */

static bool is_swapped(const struct npy *npy)
{
	return npy->dtype[0] != '|' && npy->dtype[0] != NATIVE;
}

static uint64_t load_bits(const unsigned char *at, size_t bytes, bool swap)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (bytes) {
	case 2:
		memcpy(&two, at, sizeof(two));
		return swap ? __builtin_bswap16(two) : two;
	case 4:
		memcpy(&four, at, sizeof(four));
		return swap ? __builtin_bswap32(four) : four;
	case 8:
		memcpy(&eight, at, sizeof(eight));
		return swap ? __builtin_bswap64(eight) : eight;
	default:
		return *at;
	}
}

/* IEEE 754 binary16: a sign, 5 bits of exponent biased by 15, 10 bits of fraction. */
static double from_f2(uint64_t bits)
{
	int exponent = bits >> 10 & 31;
	int fraction = bits & 1023;
	double magnitude;

	if (exponent == 31)
		magnitude = fraction ? NAN : INFINITY;
	else if (exponent == 0)
		magnitude = ldexp(fraction, -24);
	else
		magnitude = ldexp(fraction + 1024, exponent - 25);
	return bits >> 15 & 1 ? -magnitude : magnitude;
}

static double from_f4(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float value;

	memcpy(&value, &low, sizeof(value));
	return (double)value;
}

static double from_f8(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static double from_i1(uint64_t bits)
{
	return (int8_t)bits;
}

static double from_i2(uint64_t bits)
{
	return (int16_t)bits;
}

static double from_i4(uint64_t bits)
{
	return (int32_t)bits;
}

static double from_i8(uint64_t bits)
{
	return (double)(int64_t)bits;
}

static double from_unsigned(uint64_t bits)
{
	return (double)bits;
}

static double from_bool(uint64_t bits)
{
	return bits != 0;
}

/* clang-format off */
static const struct {
	const char *name;
	double (*convert)(uint64_t bits);
} reals[] = {
	{ "b1", from_bool },
	{ "i1", from_i1 }, { "u1", from_unsigned },
	{ "i2", from_i2 }, { "u2", from_unsigned }, { "f2", from_f2 },
	{ "i4", from_i4 }, { "u4", from_unsigned }, { "f4", from_f4 },
	{ "i8", from_i8 }, { "u8", from_unsigned }, { "f8", from_f8 },
};
/* clang-format on */

int npy_doubles(const struct npy *npy, const void *data, double *out, const char *whence,
		struct ipp_error *err)
{
	const bool swap = is_swapped(npy);
	const unsigned char *items = data;
	uint64_t index[NPY_DIMS_MAX] = {0};
	size_t stride[NPY_DIMS_MAX]; /* bytes from an item to the next along each axis */
	size_t step = npy->item_bytes;
	size_t at = 0;
	size_t i = 0;

	while (i < sizeof(reals) / sizeof(reals[0]) && strcmp(reals[i].name, npy->dtype + 1) != 0)
		i++;
	if (i == sizeof(reals) / sizeof(reals[0]))
		return ipp_fail(
			err, ENOTSUP,
			"%s: has dtype %s; real numbers of at most 64 bits are needed: save it "
			"with .astype(float)",
			whence, npy->dtype);

	for (size_t axis = 0; axis < npy->n_dims; axis++) {
		size_t from = npy->fortran ? axis : npy->n_dims - 1 - axis;

		stride[from] = step;
		step *= npy->shape[from];
	}
	for (size_t item = 0; item < npy->n_items; item++) {
		out[item] = reals[i].convert(load_bits(items + at, npy->item_bytes, swap));
		for (size_t axis = npy->n_dims; axis-- > 0;) {
			at += stride[axis];
			if (++index[axis] < npy->shape[axis])
				break;
			at -= stride[axis] * index[axis];
			index[axis] = 0;
		}
	}
	return 0;
}

bool npy_integer(const struct npy *npy, const void *item, int64_t *out)
{
	const size_t unused = 64 - 8 * npy->item_bytes;
	uint64_t bits;

	if (!strchr("biu", npy->dtype[1]))
		return false;
	bits = load_bits(item, npy->item_bytes, is_swapped(npy));
	if (npy->dtype[1] == 'i')
		*out = (int64_t)(bits << unused) >> unused;
	else
		*out = npy->dtype[1] == 'b' ? bits != 0 : (int64_t)bits;
	return npy->dtype[1] != 'u' || bits <= INT64_MAX;
}
