#include "engine/forest/order.h"

#include <stdbool.h>
#include <string.h>

uint64_t order_key(double value)
{
	uint64_t bits;

	value += 0.0; /* -0.0 + 0.0 is 0.0 */
	memcpy(&bits, &value, sizeof(bits));
	return bits ^ ((bits >> 63) ? UINT64_MAX : (uint64_t)1 << 63);
}

/* Below this, eight histograms cost more than the moves of an insertion sort. */
#define INSERTION_MAX 32

static void insertion_sort(struct order_item *items, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct order_item item = items[i];
		size_t j = i;

		for (; j > 0 && items[j - 1].key > item.key; j--)
			items[j] = items[j - 1];
		items[j] = item;
	}
}

/* A stable sort by bytes first to 7 of the keys. */
static struct order_item *sort_bytes(struct order_item *items, struct order_item *spare, size_t n,
				     unsigned first)
{
	uint32_t count[8][256] = {{0}};

	for (size_t i = 0; i < n; i++) {
		for (unsigned d = first; d < 8; d++)
			count[d][(items[i].key >> (8 * d)) & 255]++;
	}
	for (unsigned d = first; d < 8; d++) {
		struct order_item *const from = items;
		uint32_t at = 0;

		if (count[d][(items[0].key >> (8 * d)) & 255] == n)
			continue; /* all agree in this digit */
		for (unsigned v = 0; v < 256; v++) {
			const uint32_t c = count[d][v];

			count[d][v] = at;
			at += c;
		}
		for (size_t i = 0; i < n; i++)
			spare[count[d][(from[i].key >> (8 * d)) & 255]++] = from[i];
		items = spare;
		spare = from;
	}
	return items;
}

static bool is_sorted(const struct order_item *items, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (items[i - 1].key > items[i].key)
			return false;
	}
	return true;
}

/* So few doubles are mostly told apart by the upper five bytes. */
#define UPPER_BYTES_MAX 20000

struct order_item *order_sort(struct order_item *items, struct order_item *spare, size_t n)
{
	struct order_item *sorted;

	if (n <= INSERTION_MAX) {
		insertion_sort(items, n);
		return items;
	}
	if (n > UPPER_BYTES_MAX)
		return sort_bytes(items, spare, n, 0);
	sorted = sort_bytes(items, spare, n, 3);
	if (is_sorted(sorted, n))
		return sorted;
	return sort_bytes(sorted, sorted == items ? spare : items, n, 0);
}
