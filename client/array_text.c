#include "client/array_text.h"

#include <inttypes.h>
#include <string.h>

#include "client/date_text.h"
#include "client/decimal.h"
#include "proto/error.h"
#include "proto/npy.h"

#define EDGE 3 /* items shown at either end of an axis that is cut short */

struct shown {
	FILE *out;
	const unsigned char *data;
	struct npy whole, part;	       /* an item of it, or half of a complex one */
	bool cut;		       /* long axes are */
	uint64_t stride[NPY_DIMS_MAX]; /* bytes from an item to the next along each axis */
};

/* ---- items ---- */

/* `n` bytes, behind which `bits` stand. */
static uint64_t load(const struct shown *shown, const unsigned char *at, size_t n, uint64_t bits)
{
	for (size_t i = 0; i < n; i++)
		bits = bits << 8 | at[shown->whole.dtype[0] == '>' ? i : n - 1 - i];
	return bits;
}

static void print_integer(const struct shown *shown, const unsigned char *at)
{
	const size_t n = shown->whole.item_bytes;
	const bool negative = shown->whole.dtype[1] == 'i' &&
			      at[shown->whole.dtype[0] == '>' ? 0 : n - 1] & 0x80;
	const uint64_t bits = load(shown, at, n, negative ? UINT64_MAX : 0);

	if (negative)
		fprintf(shown->out, "%" PRId64, (int64_t)bits);
	else
		fprintf(shown->out, "%" PRIu64, bits);
}

/* In UTF-8; above 0x7f, and a character. */
static void print_wide(FILE *out, uint32_t c)
{
	if (c < 0x800) {
		putc((int)(0xc0 | c >> 6), out);
	} else {
		putc((int)(c < 0x10000 ? 0xe0 | c >> 12 : 0xf0 | c >> 18), out);
		if (c >= 0x10000)
			putc((int)(0x80 | (c >> 12 & 0x3f)), out);
		putc((int)(0x80 | (c >> 6 & 0x3f)), out);
	}
	putc((int)(0x80 | (c & 0x3f)), out);
}

/* What would upset a terminal, or is no character, as an escape. */
static void print_character(FILE *out, uint32_t c, bool wide)
{
	static const char special[] = "\n\t\r\\'", letters[] = "ntr\\'";
	const char *found = c > 0 && c < 0x80 ? strchr(special, (int)c) : NULL;

	if (found)
		fprintf(out, "\\%c", letters[found - special]);
	else if (c >= ' ' && c < 0x7f)
		putc((int)c, out);
	else if (c < (wide ? 0xa0 : 0x100))
		fprintf(out, "\\x%02" PRIx32, c);
	else if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		fprintf(out, "\\U%08" PRIx32, c);
	else
		print_wide(out, c);
}

/* Texts are padded with NULs. */
static void print_text(const struct shown *shown, const unsigned char *at)
{
	const char kind = shown->whole.dtype[1];
	const size_t unit_bytes = kind == 'U' ? 4 : 1;
	size_t n = shown->whole.item_bytes / unit_bytes;

	while (kind != 'V' && n > 0 && load(shown, at + (n - 1) * unit_bytes, unit_bytes, 0) == 0)
		n--;
	fputs(kind == 'U' ? "'" : "b'", shown->out);
	for (size_t i = 0; i < n; i++)
		print_character(shown->out,
				(uint32_t)load(shown, at + i * unit_bytes, unit_bytes, 0),
				kind == 'U');
	putc('\'', shown->out);
}

static const char *real_text(const struct shown *shown, const unsigned char *at,
			     char text[DECIMAL_BYTES])
{
	double value = 0;

	npy_doubles(&shown->part, at, &value, "", NULL);
	return decimal_text(value, shown->part.item_bytes < sizeof(double), text);
}

static void print_item(const struct shown *shown, const unsigned char *at)
{
	char text[DECIMAL_BYTES], date[DATE_TEXT_BYTES];

	switch (shown->whole.dtype[1]) {
	case 'b':
		fputs(*at ? "True" : "False", shown->out);
		break;
	case 'f':
		fputs(real_text(shown, at, text), shown->out);
		break;
	case 'c':
		fputs(real_text(shown, at, text), shown->out);
		real_text(shown, at + shown->part.item_bytes, text);
		fprintf(shown->out, "%s%sj", text[0] == '-' ? "" : "+", text);
		break;
	case 'S':
	case 'U':
	case 'V':
		print_text(shown, at);
		break;
	case 'M':
	case 'm':
		fputs(date_text((int64_t)load(shown, at, sizeof(int64_t), 0), shown->whole.dtype,
				date),
		      shown->out);
		break;
	default:
		print_integer(shown, at);
	}
}

/* ---- axes ---- */

static bool is_cut(const struct shown *shown, size_t axis)
{
	return shown->cut && shown->whole.shape[axis] > 2 * EDGE;
}

/* What lies `offset` bytes into the data, from `axis` on. */
static void print_axis(const struct shown *shown, size_t axis, uint64_t offset)
{
	const uint64_t length = axis < shown->whole.n_dims ? shown->whole.shape[axis] : 0;

	if (axis == shown->whole.n_dims) {
		print_item(shown, shown->data + offset);
		return;
	}
	putc('[', shown->out);
	for (uint64_t i = 0; i < length; i++) {
		if (i > 0)
			fputs(", ", shown->out);
		if (i == EDGE && is_cut(shown, axis)) {
			fputs("..., ", shown->out);
			i = length - EDGE;
		}
		print_axis(shown, axis + 1, offset + i * shown->stride[axis]);
	}
	putc(']', shown->out);
}

/* ---- arrays ---- */

static bool look(struct shown *shown, const struct ipp_value *array)
{
	struct npy *whole = &shown->whole;
	char part[] = "<f8";
	uint64_t n_shown = 1;

	if (npy_init(whole, array->dtype, array->n_dims, array->shape, array->fortran_order, "",
		     NULL) < 0 ||
	    whole->data_bytes != array->bytes || (!array->data && array->bytes > 0) ||
	    strcmp(whole->dtype + 1, "f16") == 0 || strcmp(whole->dtype + 1, "c32") == 0)
		return false;
	shown->cut = whole->n_items > ARRAY_TEXT_MAX;
	for (size_t i = 0; i < whole->n_dims && n_shown <= ARRAY_TEXT_MAX; i++)
		n_shown *= is_cut(shown, i) ? 2 * EDGE : whole->shape[i];
	if (n_shown > ARRAY_TEXT_MAX || (strchr("SUV", whole->dtype[1]) && n_shown > 0 &&
					 whole->item_bytes > ARRAY_TEXT_BYTES_MAX / n_shown))
		return false;
	part[0] = whole->dtype[0];
	snprintf(part + 2, 2, "%zu", whole->item_bytes / (whole->dtype[1] == 'c' ? 2 : 1));
	if (strchr("fc", whole->dtype[1]))
		npy_init(&shown->part, part, 0, NULL, false, "", NULL);
	return true;
}

bool array_text_fits(const struct ipp_value *array)
{
	struct shown shown;

	return look(&shown, array);
}

void array_text_print(FILE *out, const struct ipp_value *array)
{
	struct shown shown = {.out = out, .data = array->data};
	uint64_t step;

	if (!look(&shown, array))
		return;
	step = shown.whole.item_bytes;
	for (size_t i = 0; i < shown.whole.n_dims; i++) {
		const size_t axis = shown.whole.fortran ? i : shown.whole.n_dims - 1 - i;

		shown.stride[axis] = step;
		step *= shown.whole.shape[axis];
	}
	print_axis(&shown, 0, 0);
}
