#include "engine/forest/data.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "engine/forest/order.h"
#include "proto/error.h"

static const char *not_finite(double value)
{
	return isnan(value) ? "NaN" : "infinite";
}

int data_check_finite(const struct forest_matrix *x, struct ipp_error *err)
{
	for (size_t i = 0; i < x->n_rows; i++) {
		for (size_t j = 0; j < x->n_cols; j++) {
			const double v = x->x[i * x->row_stride + j * x->col_stride];

			if (!isfinite(v))
				return ipp_fail(err, EINVAL,
						"forest: x is %s at row %zu, column %zu (counting "
						"from 0); drop the row or fill the value",
						not_finite(v), i, j);
		}
	}
	return 0;
}

static int check_shape(const struct forest_matrix *x, const double *y, struct ipp_error *err)
{
	if (x->n_rows == 0 || x->n_cols == 0)
		return ipp_fail(err, EINVAL,
				"forest: x has %zu rows and %zu columns; it needs one "
				"of each at least",
				x->n_rows, x->n_cols);
	if (x->n_rows > FOREST_MAX_ROWS || x->n_cols > FOREST_MAX_COLUMNS)
		return ipp_fail(err, EINVAL,
				"forest: x has %zu rows and %zu columns; the limits "
				"are %u and %u",
				x->n_rows, x->n_cols, FOREST_MAX_ROWS, FOREST_MAX_COLUMNS);
	for (size_t i = 0; i < x->n_rows; i++) {
		if (!isfinite(y[i]))
			return ipp_fail(err, EINVAL,
					"forest: y is %s at row %zu (counting from "
					"0); drop the row",
					not_finite(y[i]), i);
	}
	return data_check_finite(x, err);
}

/* Give rows their ids, in order of target. */
static void order_targets(struct forest_data *data, const double *y, struct order_item *items,
			  struct order_item *spare)
{
	const struct order_item *sorted;

	for (uint32_t i = 0; i < data->n; i++)
		items[i] = (struct order_item){order_key(y[i]), i};
	sorted = order_sort(items, spare, data->n);
	for (uint32_t id = 0; id < data->n; id++) {
		data->row_of[id] = sorted[id].id;
		data->id_of[sorted[id].id] = id;
		data->y[id] = y[sorted[id].id] + 0.0;
	}
}

static void order_feature(struct forest_data *data, uint32_t f, struct order_item *items,
			  struct order_item *spare)
{
	const size_t from = (size_t)f * data->n;
	const struct order_item *sorted;
	uint32_t rank = 0;

	for (uint32_t id = 0; id < data->n; id++)
		items[id] = (struct order_item){order_key(data_value(data, data->row_of[id], f)),
						id};
	sorted = order_sort(items, spare, data->n);
	for (uint32_t k = 0; k < data->n; k++) {
		const uint32_t id = sorted[k].id;
		const size_t cell = (size_t)id * data->p + f;

		if (k > 0 && sorted[k].key != sorted[k - 1].key)
			rank++;
		if (data->narrow_ids)
			((uint16_t *)data->order)[from + k] = (uint16_t)id;
		else
			((uint32_t *)data->order)[from + k] = id;
		if (data->narrow_ranks)
			((int16_t *)data->ranks)[cell] = (int16_t)rank;
		else
			((int32_t *)data->ranks)[cell] = (int32_t)rank;
	}
	data->tied[f] = rank + 1 < data->n;
	data->any_tied |= data->tied[f];
}

int forest_data_new(struct forest_data **gives, const struct forest_matrix *x, const double *y,
		    struct ipp_error *err)
{
	struct order_item *items = NULL, *spare = NULL;
	struct forest_data *data = NULL;
	size_t cells;
	int rc = check_shape(x, y, err);

	*gives = NULL;
	if (rc < 0)
		return rc;
	cells = x->n_rows * x->n_cols;
	items = malloc(x->n_rows * sizeof(*items));
	spare = malloc(x->n_rows * sizeof(*spare));
	data = calloc(1, sizeof(*data));
	if (!items || !spare || !data)
		goto no_memory;
	data->x = *x;
	data->n = (uint32_t)x->n_rows;
	data->p = (uint32_t)x->n_cols;
	data->narrow_ids = data->n <= LOCAL_MAX;
	data->narrow_ranks = data->n <= INT16_MAX;
	data->y = malloc(data->n * sizeof(*data->y));
	data->row_of = malloc(data->n * sizeof(*data->row_of));
	data->id_of = malloc(data->n * sizeof(*data->id_of));
	data->tied = malloc(data->p);
	data->order = malloc((cells + LIST_SLACK) * (data->narrow_ids ? 2 : 4));
	data->ranks = calloc(cells + RANK_SLACK, data->narrow_ranks ? 2 : 4);
	if (!data->y || !data->row_of || !data->id_of || !data->tied || !data->order ||
	    !data->ranks)
		goto no_memory;
	order_targets(data, y, items, spare);
	for (uint32_t f = 0; f < data->p; f++)
		order_feature(data, f, items, spare);
	*gives = data;
	data = NULL;
	goto out;
no_memory:
	rc = ipp_fail(err, ENOMEM,
		      "forest: no memory for the column orders of %zu x %zu values; "
		      "give the job more, or fewer rows",
		      x->n_rows, x->n_cols);
out:
	forest_data_free(data);
	free(items);
	free(spare);
	return rc;
}

void forest_data_free(struct forest_data *data)
{
	if (!data)
		return;
	free(data->y);
	free(data->row_of);
	free(data->id_of);
	free(data->tied);
	free(data->order);
	free(data->ranks);
	free(data);
}

size_t forest_data_rows(const struct forest_data *data)
{
	return data->n;
}

size_t forest_data_cols(const struct forest_data *data)
{
	return data->p;
}
