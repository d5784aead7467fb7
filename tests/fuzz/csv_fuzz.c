/* libFuzzer target: CSV files from anywhere.  `csv_fuzz FILE` replays one input: its first line is
 * the target, the rest the file. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/csv.h"
#include "client/table.h"
#include "proto/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct table table = {.n = 0};
	struct ipp_error err;
	char *target = malloc(bytes + 1);
	char *target_end;

	if (!target)
		abort();
	memcpy(target, data, bytes);
	target[bytes] = '\0';
	target_end = memchr(target, '\n', bytes);
	if (target_end) {
		const char *rest = target_end + 1;

		*target_end = '\0';
		if (csv_table(&table, rest, bytes - (size_t)(rest - target), target, "input",
			      &err) < 0) {
			assert(err.text[0] && !strchr(err.text, '\n') && !table.x && !table.y);
		} else {
			assert(table.n > 0 && table.p > 0);
			for (size_t i = 0; i < table.n * table.p; i++)
				assert(isfinite(table.x[i]));
			for (size_t i = 0; i < table.n; i++)
				assert(isfinite(table.y[i]));
		}
	}
	table_fini(&table);
	free(target);
	return 0;
}
