/* engine/forest/data.h - the inside of a prepared data set.
 *
 * Rows are renumbered in ascending order of target (ties: of row): a row's new number is its id.  A
 * list of ids in ascending order is thus a list in order of target, and needs no list of its own.
 */
#ifndef IPP_FOREST_DATA_H
#define IPP_FOREST_DATA_H

#include "engine/forest/forest.h"
#include "engine/forest/kernel.h"

struct forest_data {
	struct forest_matrix x;
	uint32_t n, p;
	double *y;	  /* by id */
	uint32_t *row_of; /* id -> row */
	uint32_t *id_of;  /* row -> id */
	void *order;	  /* p lists of n ids by ascending value: 16-bit if narrow_ids, else 32 */
	bool narrow_ids;  /* n <= LOCAL_MAX: ids are their own local ids */
	void *ranks;	  /* n x p dense ranks, by id: int16_t if narrow_ranks, else int32_t */
	bool narrow_ranks;
	uint8_t *tied; /* by feature: some value occurs twice */
	bool any_tied;
};

/* Extra elements that may be read beyond the end of the rank table. */
#define RANK_SLACK 64

static inline uint32_t data_rank(const struct forest_data *data, uint32_t id, uint32_t feature)
{
	const size_t at = (size_t)id * data->p + feature;

	return data->narrow_ranks ? (uint32_t)((const int16_t *)data->ranks)[at]
				  : (uint32_t)((const int32_t *)data->ranks)[at];
}

static inline double data_value(const struct forest_data *data, uint32_t row, uint32_t feature)
{
	return data->x.x[row * data->x.row_stride + feature * data->x.col_stride];
}

/* Name the first cell of x (row by row) that is NaN or infinite; 0 when there is none. */
int data_check_finite(const struct forest_matrix *x, struct ipp_error *err);

#endif
