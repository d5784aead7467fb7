/* client/oob.h - leave-one-out by out-of-bag (oob): each row is predicted by those trees of one
 * large forest that did not see it.
 *
 * A tree that draws as often from n rows as the leave-one-out forest's trees from n-1, and left row
 * i out, is distributed as a tree of the forest fitted without row i, so the mean has that forest's
 * distribution, for the work of some e times the trees asked for, however many rows are held out.
 * (Without replacement a tree leaves out few rows or, drawing n-1 times, one.) */
#ifndef IPP_CLIENT_OOB_H
#define IPP_CLIENT_OOB_H

#include "client/grow.h"

/* How often a tree draws: as the trees fitted without one of n rows. */
size_t oob_draws(const struct study *study, size_t n);

/* Grow until each row of the table was left out by at least study->trees trees; predictions[i] is
 * for rows[i].  How many trees it took is in grown->trees, which begins empty. */
int oob_predict(struct ipp_client *client, const struct study *study, const struct table *table,
		const size_t *rows, size_t n_rows, struct grown *grown, double *predictions,
		struct ipp_error *err);

#endif
