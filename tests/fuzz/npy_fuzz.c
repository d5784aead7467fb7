/* libFuzzer target: .npy files from anywhere.  `npy_fuzz FILE` replays one input.
 * What is read must be written and read again unchanged, and every item must be reachable. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct npy npy, again;
	struct ipp_error err;
	char *header;
	double *items;

	if (npy_parse(&npy, data, bytes, "input", &err) < 0) {
		assert(err.text[0] && !strchr(err.text, '\n'));
		return 0;
	}
	header = calloc(1, NPY_HEADER_MAX + npy.data_bytes);
	if (!header)
		abort();
	if (npy_parse(&again, header, npy_header(&npy, header) + npy.data_bytes, "again", &err) < 0)
		abort();
	assert(strcmp(npy.dtype, again.dtype) == 0 && npy.fortran == again.fortran &&
	       npy.n_dims == again.n_dims && npy.data_bytes == again.data_bytes);
	assert(memcmp(npy.shape, again.shape, npy.n_dims * sizeof(npy.shape[0])) == 0);
	free(header);

	/* Zero bytes may hold any number of "<U0". */
	if (npy.item_bytes > 0) {
		items = malloc(npy.n_items * sizeof(*items) + 1);
		if (!items)
			abort();
		npy_doubles(&npy, data + npy.data_offset, items, "input", &err);
		free(items);
	}
	return 0;
}
