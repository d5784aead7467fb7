/* client/loo_plot.h - a picture of what leave-one-out found: predicted against held-out, residuals,
 * and which engine did what when.  Drawn by gnuplot, which must be installed.
 *
 * Colours: Okabe and Ito's, which colour-blind people can tell apart.  Thread: any. */
#ifndef IPP_CLIENT_LOO_PLOT_H
#define IPP_CLIENT_LOO_PLOT_H

#include "client/loo_report.h"

struct timeline;

/* -EINVAL when `path` ends neither in .svg nor in .png, -ENOENT when there is no gnuplot: to be
 * asked before the work. */
int loo_plot_check(const char *path, struct ipp_error *err);

/* Draw to `path`, whole or not at all.  -errno. */
int loo_plot_save(const struct loo_report *report, const struct timeline *timeline,
		  const char *path, struct ipp_error *err);

#endif
