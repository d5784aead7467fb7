#include "client/array_text.h"

#include <inttypes.h>
#include <string.h>

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

static void print_integer(const struct shown *shown, const unsigned char *at)
{
	const size_t n = shown->whole.item_bytes;
	const bool negative = shown->whole.dtype[1] == 'i' &&
			      at[shown->whole.dtype[0] == '>' ? 0 : n - 1] & 0x80;
	uint64_t bits = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++)
		bits = bits << 8 | at[shown->whole.dtype[0] == '>' ? i : n - 1 - i];
	if (negative)
		fprintf(shown->out, "%" PRId64, (int64_t)bits);
	else
		fprintf(shown->out, "%" PRIu64, bits);
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
	char text[DECIMAL_BYTES];

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
	    !strchr("biufc", whole->dtype[1]) || strcmp(whole->dtype + 1, "f16") == 0 ||
	    strcmp(whole->dtype + 1, "c32") == 0)
		return false;
	shown->cut = whole->n_items > ARRAY_TEXT_MAX;
	for (size_t i = 0; i < whole->n_dims && n_shown <= ARRAY_TEXT_MAX; i++)
		n_shown *= is_cut(shown, i) ? 2 * EDGE : whole->shape[i];
	if (n_shown > ARRAY_TEXT_MAX)
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
