/* libFuzzer target: models of the forest from anywhere.  `model_fuzz FILE` replays one input.
 * What is read must be written again unchanged, and predictions with it must end. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/forest.h"
#include "proto/error.h"

#define COLUMNS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const double zeros[COLUMNS_MAX];
	struct forest_matrix row;
	struct forest *forest;
	struct ipp_error err;
	double prediction;
	uint8_t *again;

	if (forest_read(&forest, data, bytes, &err) < 0) {
		assert(err.text[0] && !strchr(err.text, '\n') && !forest);
		return 0;
	}
	again = malloc(forest_bytes(forest));
	assert(again && forest_bytes(forest) == bytes);
	forest_write(forest, again);
	free(again);
	row = forest_matrix(zeros, 1, forest_cols(forest));
	if (row.n_cols <= COLUMNS_MAX)
		assert(forest_predict(forest, &row, &prediction, &err) == 0);
	forest_free(forest);
	return 0;
}
