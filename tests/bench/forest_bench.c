/* forest_bench DATA ROWS COLS TREES MTRY MIN_LEAF: for each line on standard input, a number, fit
 * so many forests, preparation of the data included, and answer with the mean of their processor
 * seconds.  DATA has raw doubles: ROWS x COLS of x, then y. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/forest/forest.h"
#include "proto/error.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Processor seconds in *seconds. */
static int fit_once(const double *x, size_t n, size_t p, const struct forest_options *options,
		    double *seconds)
{
	const struct forest_matrix matrix = forest_matrix(x, n, p);
	const double start = now();
	struct forest_data *data = NULL;
	struct forest *forest = NULL;
	struct ipp_error err;
	int rc = forest_data_new(&data, &matrix, x + n * p, &err);

	if (rc == 0)
		rc = forest_fit(&forest, data, options, NULL, 0, options->n_trees, &err);
	*seconds = now() - start;
	if (rc < 0)
		fprintf(stderr, "%s\n", err.text);
	forest_free(forest);
	forest_data_free(data);
	return rc;
}

int main(int argc, char **argv)
{
	unsigned long numbers[5] = {0};
	struct forest_options options;
	size_t n, p, read;
	char line[64];
	FILE *file;
	double *x;
	int rc = 0;

	if (argc != 7) {
		fprintf(stderr, "usage: forest_bench DATA ROWS COLS TREES MTRY MIN_LEAF\n");
		return 2;
	}
	for (int i = 0; i < 5; i++)
		numbers[i] = strtoul(argv[i + 2], NULL, 10);
	n = numbers[0];
	p = numbers[1];
	forest_options_init(&options);
	options.n_trees = (uint32_t)numbers[2];
	options.mtry = (uint32_t)numbers[3];
	options.min_leaf = (uint32_t)numbers[4];
	x = malloc((n * p + n) * sizeof(*x));
	file = fopen(argv[1], "rb");
	read = x && file ? fread(x, sizeof(*x), n * p + n, file) : 0;
	if (read != n * p + n) {
		fprintf(stderr, "forest_bench: no %zu x %zu values in %s\n", n, p, argv[1]);
		rc = 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (rc == 0 && fgets(line, sizeof(line), stdin)) {
		const unsigned long fits = strtoul(line, NULL, 10);
		double sum = 0, seconds;

		for (unsigned long i = 0; rc == 0 && i < fits; i++, options.seed++) {
			rc = fit_once(x, n, p, &options, &seconds);
			sum += seconds;
		}
		printf("%.6f\n", sum / (double)fits);
		fflush(stdout);
	}
	if (file)
		fclose(file);
	free(x);
	return rc ? 1 : 0;
}
