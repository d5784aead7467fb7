/* engine/modules/forest/folds.h - which rows of a cross-validation are held out together. */
#ifndef IPP_MODULES_FOREST_FOLDS_H
#define IPP_MODULES_FOREST_FOLDS_H

#include <stddef.h>
#include <stdint.h>

/* Deal n rows into n_folds folds, as equal as can be: a uniformly random order of the rows (Fisher
 * and Yates), row at place k going to fold k mod n_folds.  Depends on (seed, repeat) alone.
 *   fold_of   n of them, filled      order  n of them, scratch */
void folds_deal(uint64_t seed, uint32_t repeat, uint32_t n, uint32_t n_folds, uint32_t *fold_of,
		uint32_t *order);

#endif
