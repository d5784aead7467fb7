/* client/study.h - what loo, cv and forest have in common: options that choose data and forest, and
 * how both reach the engines. */
#ifndef IPP_CLIENT_STUDY_H
#define IPP_CLIENT_STUDY_H

#include <getopt.h>
#include <stdbool.h>

#include "client/table.h"
#include "client/verb.h"

struct study {
	const char *x, *y, *csv, *target; /* where the data comes from; none: the tutorial's */
	uint64_t rows;			  /* of the tutorial's data */
	uint64_t trees, mtry, min_leaf, min_split, max_depth, seed;
	double fraction; /* draws of a tree per row it may draw, in (0, 1] */
	bool no_replace;
	bool full_trees;     /* of loo alone */
	uint64_t engines;    /* --engines; 0: not given */
	const char *journal; /* NULL: none */
	bool resume;
	uint32_t given; /* bit i: option STUDY_FIRST + i was */
};

/* The tutorial's, and scikit-learn's defaults. */
void study_init(struct study *study);

/* For the array of getopt_long(); values from STUDY_FIRST on are a study's. */
enum {
	STUDY_FIRST = 1000,
	STUDY_ROWS = 1004,
	STUDY_SEED = 1010,
	STUDY_FRACTION = 1012,
	STUDY_LAST = 1015,
};
#define STUDY_GETOPT                                                                               \
	{"x", required_argument, NULL, 1000}, {"y", required_argument, NULL, 1001},                \
		{"csv", required_argument, NULL, 1002}, {"target", required_argument, NULL, 1003}, \
		{"rows", required_argument, NULL, 1004}, {"trees", required_argument, NULL, 1005}, \
		{"mtry", required_argument, NULL, 1006},                                           \
		{"min-leaf", required_argument, NULL, 1007},                                       \
		{"min-split", required_argument, NULL, 1008},                                      \
		{"max-depth", required_argument, NULL, 1009},                                      \
		{"seed", required_argument, NULL, 1010},                                           \
		{"engines", required_argument, NULL, 1011},                                        \
		{"fraction", required_argument, NULL, 1012},                                       \
		{"no-replace", no_argument, NULL, 1013},                                           \
		{"journal", required_argument, NULL, 1014},                                        \
	{                                                                                          \
		"resume", no_argument, NULL, 1015                                                  \
	}

/* The same for people. */
#define STUDY_USAGE                                                                                \
	"Data: the tutorial's (np.random.seed(0), 500 rows of 50 features) unless given:\n"        \
	"  --x X.npy --y Y.npy        features and target from NumPy files\n"                      \
	"  --csv FILE --target NAME   a CSV file with a header; NAME or number of the target\n"    \
	"  --rows N                   how many rows the tutorial's data has\n"                     \
	"Forest:\n"                                                                                \
	"  --trees N                  100\n"                                                       \
	"  --mtry N                   features tried at each split; all\n"                         \
	"  --min-leaf N               rows a leaf keeps at least; 1\n"                             \
	"  --min-split N              a node of fewer rows is a leaf; 2\n"                         \
	"  --max-depth N              no limit\n"                                                  \
	"  --fraction F               draws of a tree per row, above 0 to 1; 1\n"                  \
	"  --no-replace               draw no row twice for a tree\n"                              \
	"  --seed N                   0\n"                                                         \
	"Another run goes on where this one ends:\n"                                               \
	"  --journal FILE             keep what each task found in FILE\n"                         \
	"  --resume                   go on with what FILE has\n"

/* What a verb has besides: take option `c` of getopt_long().  0, or -EINVAL. */
typedef int study_take_fn(void *owner, int c, const char *text, struct ipp_error *err);

/* Read the words behind `verb`, which are all options.  0, or -EINVAL.
 *   shorts, known  as getopt_long() wants them
 *   take_other     is given what is not the study's */
int study_options(struct study *study, const char *verb, int argc, char **argv, const char *shorts,
		  const struct option *known, study_take_fn *take_other, void *owner,
		  struct ipp_error *err);

/* Options that do not go together, or would do nothing: -EINVAL. */
int study_check(const struct study *study, struct ipp_error *err);

/* The same where a fitted forest predicts: rows must be given, a target need not, and the forest's
 * options are the model's. */
int study_check_predict(const struct study *study, struct ipp_error *err);

/* Read or make the data, and see whether the forest's options suit it. */
int study_table(const struct study *study, struct table *table, struct ipp_error *err);

/* Push X and Y to all engines; how many there are in *n_engines. */
int study_push(const struct table *table, struct ipp_client *client, size_t *n_engines,
	       struct ipp_error *err);

/* What forest.so's functions are told, whichever it is. */
#define STUDY_ARGUMENTS 9
struct ipp_argument study_argument(const char *name, uint64_t integer);
void study_arguments(const struct study *study, struct ipp_argument out[STUDY_ARGUMENTS]);

/* Tasks of a study whose results were taken, and all. */
struct study_progress {
	const size_t *n_done;
	uint64_t total;
};

/* ipp_run(), with the study's journal, if it has one; the data was pushed.  Whatever callback ended
 * it has filled *err.
 *   first     the run's first item is this one of the journal
 *   progress  for what is said where it is drained */
int study_run(const struct study *study, const struct table *table, struct ipp_client *client,
	      const struct ipp_run *run, uint64_t first, const struct study_progress *progress,
	      struct ipp_error *err);

#endif
