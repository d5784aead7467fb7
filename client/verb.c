#include "client/verb.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/argument.h"
#include "client/array_text.h"
#include "client/decimal.h"
#include "client/ranges.h"

#define TERM_LIMIT_MS 25000 /* KillWait is 30 s unless a site sets it; the rest is to save */

static struct ipp_client *volatile interruptible;
static const char *running = ""; /* the verb's name */

double verb_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int verb_call(const struct verb *verb, int argc, char **argv)
{
	running = verb->name;
	return verb->run(argc, argv);
}

int verb_fail(const struct ipp_error *err)
{
	const bool named = strncmp(err->text, "ipp-run", 7) == 0 ||
			   strncmp(err->text, "slurm-ipp: ", 11) == 0;

	fflush(stdout);
	if (named)
		fprintf(stderr, "%s\n", err->text);
	else if (err->text[0])
		fprintf(stderr, "ipp-run %s: %s\n", running, err->text);
	return err->code == EINTR   ? EXIT_INTERRUPTED
	       : err->code == ETIME ? EXIT_REQUEUE
				    : EXIT_OURS;
}

int verb_misuse(const struct verb *verb, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "ipp-run %s: ", verb->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "; see ipp-run %s --help\n", verb->name);
	return EXIT_OURS;
}

/* The word at which getopt_long() stopped lies behind it, but for a cluster of short options that
 * it has not finished. */
static const char *stopped_at(int argc, char **argv)
{
	const char *last = argv[optind - 1];
	const char *next = optind < argc ? argv[optind] : "";
	const bool ended = last[0] == '-' && last[1] != '-' && last[strlen(last) - 1] == optopt;

	if (optopt > 0 && optopt <= UINT8_MAX && !ended && next[0] == '-' && next[1] != '-' &&
	    strchr(next, optopt))
		return next;
	return last;
}

int verb_unknown_option(const char *verb, int argc, char **argv, const struct option *known,
			struct ipp_error *err)
{
	const char *last = argv[optind - 1];

	/* optopt is the value of a long option that is known, used in a wrong way. */
	for (; known->name; known++) {
		const char *value = strchr(last, '=');

		if (known->val != optopt || strncmp(last, "--", 2) != 0)
			continue;
		if (known->has_arg == required_argument && !value && optind >= argc)
			return ipp_fail(err, EINVAL,
					"ipp-run %s: '%.100s' needs a value; see ipp-run %s --help",
					verb, last, verb);
		if (known->has_arg == no_argument && value &&
		    strncmp(known->name, last + 2, (size_t)(value - last) - 2) == 0)
			return ipp_fail(err, EINVAL,
					"ipp-run %s: '--%s' takes no value; see ipp-run %s --help",
					verb, known->name, verb);
	}
	return ipp_fail(err, EINVAL,
			"ipp-run %s: '%.100s' is not an option, or lacks its value; see ipp-run %s "
			"--help",
			verb, stopped_at(argc, argv), verb);
}

int verb_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *out,
		struct ipp_error *err)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= low &&
	    *out <= high)
		return 0;
	return ipp_fail(err, EINVAL, "%s %.60s: give a whole number from %llu to %llu", option,
			text, (unsigned long long)low, (unsigned long long)high);
}

int verb_duration(const char *option, const char *text, uint32_t *ms, struct ipp_error *err)
{
	const double max_s = 4e6; /* some 46 days, which milliseconds in 32 bits can hold */
	char *end;
	const double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.001 && seconds <= max_s))
		return ipp_fail(err, EINVAL,
				"%s %.60s: give a number of seconds from 0.001 to %.0f", option,
				text, max_s);
	*ms = (uint32_t)(seconds * 1000 + 0.5);
	return 0;
}

int verb_request_id(const char *text, uint64_t *out, struct ipp_error *err)
{
	unsigned long long client, number;
	int end = 0;

	if (text[0] >= '0' && text[0] <= '9' &&
	    sscanf(text, "%llu.%n%llu%n", &client, &end, &number, &end) == 2 && text[end] == '\0' &&
	    strspn(text, "0123456789.") == (size_t)end && client > 0 && client <= UINT32_MAX &&
	    number > 0 && number <= UINT32_MAX) {
		*out = client << 32 | number;
		return 0;
	}
	return ipp_fail(err, EINVAL,
			"'%.60s' is no request: give an id such as 3.1; ipp-run queue and "
			"ipp-run history list them",
			text);
}

const char *verb_request_name(uint64_t id, char name[VERB_ID_BYTES])
{
	snprintf(name, VERB_ID_BYTES, "%u.%u", (unsigned)(id >> 32), (unsigned)id);
	return name;
}

static void print_notice(const char *text)
{
	fflush(stdout);
	fprintf(stderr, "ipp-run: %s\n", text);
}

/* The first cancels, the second leaves at once, as does one that finds nothing to cancel. */
static void interrupt_handler(int number)
{
	static volatile sig_atomic_t times;

	(void)number;
	if (times++ > 0 || !interruptible)
		_exit(EXIT_INTERRUPTED);
	ipp_interrupt(interruptible);
}

void verb_disconnect(struct ipp_client *client)
{
	interruptible = NULL;
	ipp_disconnect(client);
}

void verb_interruptible(struct ipp_client *client)
{
	struct sigaction action = {.sa_handler = interrupt_handler};

	interruptible = client;
	sigaction(SIGINT, &action, NULL);
}

static void drain_handler(int number)
{
	static volatile sig_atomic_t terminated;

	if (!interruptible) /* it is about to end by itself */
		return;
	if (number == SIGTERM && terminated++ > 0)
		ipp_interrupt(interruptible);
	else
		ipp_drain(interruptible, number == SIGTERM ? TERM_LIMIT_MS : -1);
}

void verb_drainable(struct ipp_client *client)
{
	struct sigaction action = {.sa_handler = drain_handler};

	interruptible = client;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

void verb_tell_left(struct ipp_error *err, const char *journal, uint64_t n_done, uint64_t total)
{
	const struct ipp_error why = *err;
	char of[32] = "";

	if (total > 0)
		snprintf(of, sizeof(of), " of %llu", (unsigned long long)total);
	if (journal)
		ipp_fail(
			err, why.code,
			"%.90s: %llu%s tasks are done and in %.60s; the same command with --resume goes on from there",
			why.text, (unsigned long long)n_done, of, journal);
	else
		ipp_fail(
			err, why.code,
			"%.90s: %llu%s tasks have ended; with --journal FILE and --resume another job goes on from there",
			why.text, (unsigned long long)n_done, of);
}

static int connect_with(struct ipp_client **out, const struct ipp_connect *options,
			struct ipp_error *err)
{
	const int rc = ipp_connect(out, options, err);

	if (rc == 0)
		verb_interruptible(*out);
	return rc;
}

int verb_connect(struct ipp_client **out, unsigned engines, struct ipp_error *err)
{
	const struct ipp_connect options = {.local_engines = engines ? engines : IPP_ENGINE_PER_CPU,
					    .own_engines = engines > 0,
					    .notice = print_notice};

	return connect_with(out, &options, err);
}

int verb_connect_existing(struct ipp_client **out, struct ipp_error *err)
{
	const struct ipp_connect options = {.notice = print_notice};

	return connect_with(out, &options, err);
}

int verb_directory(char directory[VERB_DIRECTORY_BYTES], struct ipp_error *err)
{
	if (getcwd(directory, VERB_DIRECTORY_BYTES))
		return 0;
	if (errno == ERANGE)
		return ipp_fail(err, ENAMETOOLONG,
				"the name of this directory, in which commands would run, has more "
				"than %d bytes: go to another one",
				VERB_DIRECTORY_BYTES - 1);
	return ipp_fail(err, errno,
			"this directory, in which commands would run, has no name: %m; go to "
			"another one");
}

int verb_targets(struct ipp_client *client, const char *text, uint32_t **out, size_t *n,
		 struct ipp_error *err)
{
	const struct ipp_engine *engines;
	size_t n_engines, *named = NULL;
	int rc = ipp_engines(client, &engines, &n_engines, err);

	if (rc < 0)
		return rc;
	if (n_engines == 0)
		return ipp_fail(
			err, ENOENT,
			"the cluster has no engines at the moment: ipp-run status tells what became "
			"of them, and ipp-run history of their tasks");
	*n = n_engines;
	if (text && strcmp(text, "all") != 0) {
		rc = ranges_in_order(&named, n, text, engines[n_engines - 1].rank + 1, "--targets",
				     "engine", err);
		if (rc < 0)
			return rc;
	}
	*out = calloc(*n, sizeof(**out));
	if (!*out)
		rc = ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0, e = 0; rc == 0 && i < *n; i++) {
		(*out)[i] = named ? (uint32_t)named[i] : engines[i].rank;
		if (e == n_engines || engines[e].rank > (*out)[i])
			e = 0;
		while (e < n_engines && engines[e].rank < (*out)[i])
			e++;
		if (e == n_engines || engines[e].rank != (*out)[i])
			rc = ipp_fail(err, ENOENT,
				      "--targets %.100s: there is no engine %u; ipp-run ids "
				      "lists them",
				      text, (*out)[i]);
	}
	free(named);
	if (rc < 0) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

static void print_array(FILE *out, const struct ipp_value *value)
{
	fprintf(out, "array %s (", value->dtype);
	for (size_t i = 0; i < value->n_dims; i++)
		fprintf(out, "%s%llu", i ? ", " : "", (unsigned long long)value->shape[i]);
	fprintf(out, "%s), %zu bytes%s", value->n_dims == 1 ? "," : "", value->bytes,
		value->fortran_order ? ", Fortran order" : "");
	if (array_text_fits(value)) {
		fputs(": ", out);
		array_text_print(out, value);
	}
	putc('\n', out);
}

void verb_print_value(FILE *out, const struct ipp_value *value)
{
	char text[DECIMAL_BYTES];

	switch (value->kind) {
	case IPP_INTEGER:
		fprintf(out, "%lld\n", (long long)value->integer);
		break;
	case IPP_REAL:
		fprintf(out, "%s\n", decimal_text(value->real, false, text));
		break;
	case IPP_TEXT:
		fwrite(value->text, 1, value->bytes, out);
		putc('\n', out);
		break;
	case IPP_ARRAY:
		print_array(out, value);
		break;
	case IPP_NONE:
		break;
	}
}

static void print_failure(const struct ipp_result *result, const char *what)
{
	/* Else there was no engine, or the sentence is about it. */
	const bool placed = result->outcome != IPP_LOST && result->outcome != IPP_CANCELLED;

	fputs("ipp-run: ", stderr);
	if (what)
		fprintf(stderr, "%s %llu", what, (unsigned long long)result->index);
	if (placed || !what)
		fprintf(stderr, "%sengine %u", what ? " on " : "", result->engine);
	if (placed && result->host[0])
		fprintf(stderr, " of %s", result->host);
	fprintf(stderr, ": %s\n", result->error);
}

void verb_print_result(const struct ipp_result *result, const char *what)
{
	fwrite(result->out, 1, result->out_bytes, stdout);
	verb_print_value(stdout, &result->value);
	if (result->outcome == IPP_OK && result->err_bytes == 0)
		return;
	fflush(stdout);
	fwrite(result->err, 1, result->err_bytes, stderr);
	if (result->outcome != IPP_OK)
		print_failure(result, what);
}

/* GNU parallel's other separators would else be words, and the items behind them too. */
static int refuse_separators(const char *verb, char **words, size_t n, struct ipp_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], ":::+") == 0 || strcmp(words[i], "::::+") == 0)
			return ipp_fail(err, EINVAL,
					"ipp-run %s: lists are not linked by %s: each further ::: "
					"gives all combinations, and values that belong together "
					"stand in one item",
					verb, words[i]);
		if (strcmp(words[i], "::::") == 0)
			return ipp_fail(err, EINVAL,
					"ipp-run %s: items are not read from files behind ::::, "
					"but with -a FILE: ipp-run map -a FILE -- COMMAND",
					verb);
	}
	return 0;
}

/* MODULE.so:NAME and the `n` words behind it. */
static int take_function(struct verb_words *out, const char *verb, char **words, size_t n,
			 struct ipp_error *err)
{
	out->function = words[0];
	if (!strstr(out->function, ".so:"))
		return ipp_fail(err, EINVAL,
				"ipp-run %s: '%.100s' is no function MODULE.so:NAME; a command "
				"stands behind --: ipp-run %s -- %.100s ...",
				verb, words[0], verb, words[0]);
	out->arguments = calloc(n + 1, sizeof(*out->arguments));
	if (!out->arguments)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 1; i <= n; i++) {
		int rc = 0;

		if (words[i][0] != '@' && strchr(words[i], '='))
			rc = argument_read(&out->arguments[out->n_arguments++], words[i], false,
					   err);
		else if (out->range)
			rc = ipp_fail(err, EINVAL,
				      "ipp-run %s: '%.100s' behind the function is no argument "
				      "NAME=VALUE; items stand behind :::",
				      verb, words[i]);
		else
			out->range = words[i];
		if (rc < 0)
			return rc;
	}
	return ipp_check_function(out->function, err);
}

int verb_words(struct verb_words *out, int argc, char **argv, struct ipp_error *err)
{
	const bool command = optind > 0 && strcmp(argv[optind - 1], "--") == 0;
	int end = optind;

	*out = (struct verb_words){0};
	if (refuse_separators(argv[0], argv + optind, (size_t)(argc - optind), err) < 0)
		return -EINVAL;
	while (end < argc && strcmp(argv[end], ":::") != 0)
		end++;
	if (end < argc) {
		out->items = argv + end + 1;
		out->n_items = (size_t)(argc - end - 1);
	}
	if (end == optind)
		return ipp_fail(err, EINVAL,
				"ipp-run %s: there is nothing to run: give a command behind --, or "
				"MODULE.so:NAME",
				argv[0]);
	if (!command)
		return take_function(out, argv[0], argv + optind, (size_t)(end - optind) - 1, err);
	out->argv = calloc((size_t)(end - optind) + 1, sizeof(*out->argv));
	if (!out->argv)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (int i = optind; i < end; i++)
		out->argv[i - optind] = argv[i];
	return 0;
}

void verb_words_fini(struct verb_words *words)
{
	free(words->argv);
	free(words->arguments);
}

const char *verb_label(const struct verb_words *words, char label[VERB_LABEL_BYTES])
{
	int at = snprintf(label, VERB_LABEL_BYTES, "%s", words->function ? words->function : "");

	for (size_t i = 0; words->argv && words->argv[i] && at + 1 < VERB_LABEL_BYTES; i++)
		at += snprintf(label + at, VERB_LABEL_BYTES - (size_t)at, "%s%s", i ? " " : "",
			       words->argv[i]);
	return label;
}

int verb_exit_code(uint64_t n_failed, const struct ipp_result *last_not_run)
{
	if (last_not_run->outcome == IPP_NO_COMMAND)
		return last_not_run->code;
	return n_failed > 100 ? EXIT_FAILED_MAX : (int)n_failed;
}
