/* client.c - a C program that drives engines: direct and load-balanced, many things at a time.
 *
 *   cc -o client client.c $(pkg-config --cflags --libs libipp)
 *   ./client ./module.so                        # on this machine
 *   srun -N2 -n4 --ipp-engines ./client ./module.so */
#include <ipp/client.h>
#include <stdio.h>
#include <stdlib.h>

#define N_SQUARES 1000
#define WINDOW 64

static struct ipp_error err;

/* The integers below a limit, given out one by one as there is room for them. */
struct range {
	int64_t next, end;
};

static int next_integer(void *owner, struct ipp_value *item)
{
	struct range *range = owner;

	if (range->next == range->end)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = range->next++};
	return 1;
}

static void die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, err.text);
	exit(1);
}

static struct ipp_request *begin(struct ipp_client *client, const struct ipp_run *run)
{
	struct ipp_request *request;

	if (ipp_submit(client, run, &request, &err) < 0)
		die("cannot begin");
	return request;
}

/* Load-balanced view: squares in input order, at most WINDOW on their way or waiting for us. */
static void print_sum(struct ipp_request *squares)
{
	const struct ipp_result *result;
	int64_t sum = 0;
	int rc;

	while ((rc = ipp_next(squares, -1, &result, &err)) == 1) {
		if (result->outcome != IPP_OK) {
			fprintf(stderr, "client: item %llu on engine %u of %s: %s\n",
				(unsigned long long)result->index, result->engine, result->host,
				result->error);
			exit(1);
		}
		sum += result->value.integer;
	}
	if (rc < 0)
		die("squares");
	printf("sum of squares: %lld\n", (long long)sum);
}

/* Direct view: what each engine has to say, with where and how long. */
static void print_means(struct ipp_request *means)
{
	const struct ipp_result *result;

	if (ipp_wait(means, 60000, &err) < 0)
		die("means");
	while (ipp_next(means, 0, &result, &err) == 1) {
		if (result->outcome == IPP_OK)
			printf("engine %u: mean %g\n", result->engine, result->value.real);
		else
			printf("engine %u: %s\n", result->engine, result->error);
		fprintf(stderr, "  on %s after %lld us, in %llu us\n", result->host,
			(long long)(result->started_us - result->submitted_us),
			(unsigned long long)result->elapsed_us);
	}
}

/* Commands, as they finish: whichever is first. */
static void print_commands(struct ipp_request *commands)
{
	const struct ipp_result *result;
	int n_well = 0, n_failed = 0;

	while (ipp_next(commands, -1, &result, &err) == 1)
		*(result->outcome == IPP_OK ? &n_well : &n_failed) += 1;
	printf("commands: %d well, %d failed\n", n_well, n_failed);
}

int main(int argc, char **argv)
{
	const struct ipp_connect options = {.local_engines = IPP_ENGINE_PER_CPU};
	const double data[] = {1, 2, 3, 4};
	const uint64_t shape[] = {4};
	const struct ipp_value x = {.kind = IPP_ARRAY,
				    .dtype = "<f8",
				    .shape = shape,
				    .n_dims = 1,
				    .data = data,
				    .bytes = sizeof(data)};
	const char *const command[] = {"sh", "-c", "exit $(({} % 2))", NULL};
	struct range numbers = {0, N_SQUARES}, few = {0, 10}, endless = {0, INT64_MAX};
	struct ipp_request *squares, *means, *commands, *given_up;
	const struct ipp_engine *engines;
	struct ipp_client *client;
	char square[4096], mean[4096];
	uint32_t targets[1024];
	size_t n;

	if (argc != 2) {
		fputs("usage: client MODULE.so\n", stderr);
		return 2;
	}
	snprintf(square, sizeof(square), "%s:square", argv[1]);
	snprintf(mean, sizeof(mean), "%s:mean", argv[1]);
	if (ipp_connect(&client, &options, &err) < 0)
		die("cannot connect");
	if (ipp_engines(client, &engines, &n, &err) < 0)
		die("no engines");
	n = n < 1024 ? n : 1024;
	for (size_t i = 0; i < n; i++)
		targets[i] = engines[i].rank;
	if (ipp_push(client, targets, n, "x", &x, &err) < 0)
		die("cannot push");

	/* All of these run at the same time. */
	squares = begin(client, &(struct ipp_run){.function = square,
						  .next = next_integer,
						  .owner = &numbers,
						  .window = WINDOW});
	means = begin(client,
		      &(struct ipp_run){.function = mean, .targets = targets, .n_targets = n});
	commands = begin(client, &(struct ipp_run){.argv = command,
						   .next = next_integer,
						   .owner = &few,
						   .unordered = true});
	given_up = begin(client, &(struct ipp_run){.function = square,
						   .next = next_integer,
						   .owner = &endless,
						   .window = WINDOW});
	print_sum(squares);
	print_means(means);
	print_commands(commands);
	printf("the endless one has ended: %s\n", ipp_poll(given_up) ? "yes" : "no");
	ipp_cancel(given_up);

	ipp_request_free(squares);
	ipp_request_free(means);
	ipp_request_free(commands);
	ipp_request_free(given_up);
	ipp_disconnect(client);
	return 0;
}
