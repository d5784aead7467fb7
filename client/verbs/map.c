#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/behind.h"
#include "client/feed.h"
#include "client/journal/journal.h"
#include "client/journal/journalled.h"
#include "client/kept_items.h"
#include "client/map_options.h"
#include "client/output.h"
#include "client/sinks.h"
#include "proto/array_file.h"
#include "proto/row_items.h"
#include "proto/template.h"

#define TICK_MS 500

/* Items of functions; what is larger belongs into a variable. */
#define ITEM_MAX ((size_t)64 << 20)

/* What a function may call the array whose rows are its items. */
#define ROWS_ARGUMENT "items"

struct map {
	struct map_options options;
	struct verb_words words;
	struct feed *feed;
	bool by_row;		 /* items are numbers of rows of the first argument */
	struct kept_items items; /* where sinks need them */
	struct sinks sinks;
	struct ipp_run run;
	char directory[VERB_DIRECTORY_BYTES], label[VERB_LABEL_BYTES];
	struct journal *journal; /* NULL: none is asked for */
	struct journalled journalled;
	uint32_t *targets;
	bool mute; /* standard output cannot be written: why */
	struct ipp_error mute_why;
	bool timed_out;			  /* the time of --timeout is over */
	bool talks;			  /* what tasks write may come between bar and terminal */
	uint64_t n_done, n_failed, total; /* total 0: not known */
	uint64_t n_nothing;		  /* functions that ended well and returned nothing */
	struct ipp_result last_not_run;
	struct ipp_error err;
};

/* ---- items ---- */

/* "@X.npy" behind the function: it is given the array as an argument, and the items are numbers of
 * its rows. */
static int feed_rows(struct map *map, const char *path, struct ipp_error *err)
{
	struct verb_words *words = &map->words;
	struct array_file file;
	struct row_items rows;
	char range[32];
	int rc;

	if (!npy_is_named(path))
		return ipp_fail(err, EINVAL,
				"ipp-run map: '@%.100s' is no @FILE.npy, whose rows could be the "
				"items; lines of a file are given by -a FILE",
				path);
	rc = array_file_open(&file, path, err);
	if (rc < 0)
		return rc;
	rc = row_items_init(&rows, &file.value, path, err);
	array_file_close(&file);
	if (rc < 0)
		return rc;
	/* There is room for it: words are arguments, but for this one. */
	memmove(words->arguments + 1, words->arguments,
		words->n_arguments++ * sizeof(*words->arguments));
	words->arguments[0] = (struct ipp_argument){.name = ROWS_ARGUMENT, .file = path};
	map->by_row = true;
	snprintf(range, sizeof(range), "0:%" PRIu64, rows.n);
	return feed_range(map->feed, range, err);
}

static int feed_behind(struct map *map, const char *word, struct ipp_error *err)
{
	return word[0] == '@' ? feed_rows(map, word + 1, err) : feed_range(map->feed, word, err);
}

static int open_feed(struct map *map)
{
	const struct map_options *options = &map->options;
	struct ipp_error *err = &map->err;
	int rc = 0;

	map->feed = feed_new(options->null ? '\0' : '\n',
			     map->words.function ? ITEM_MAX : TEMPLATE_WORD_MAX);
	if (!map->feed)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	for (size_t i = 0; rc == 0 && i < options->n_files; i++)
		rc = feed_file(map->feed, options->files[i], err);
	if (rc == 0 && map->words.range)
		rc = feed_behind(map, map->words.range, err);
	if (rc == 0 && map->words.items)
		rc = feed_words(map->feed, map->words.items, map->words.n_items, err);
	if (rc == 0 && map->by_row && feed_n_lists(map->feed) > 1)
		return ipp_fail(err, EINVAL,
				"ipp-run map: the rows of %.100s are the items: leave others out",
				map->words.range);
	if (rc < 0 || feed_n_lists(map->feed) > 0)
		return rc;
	if (isatty(STDIN_FILENO))
		return ipp_fail(err, EINVAL,
				"ipp-run map: there are no items: give them behind :::, in a file "
				"with -a, or on stdin, a line each");
	return feed_file(map->feed, "-", err);
}

static int next(void *owner, struct ipp_value *item)
{
	struct map *map = owner;
	const int rc = feed_next(map->feed, map->run.items_fd < 0, item, &map->err);

	if (rc == 1 && map->sinks.need_items && kept_items_add(&map->items, item) < 0)
		return ipp_fail(&map->err, ENOMEM, "ipp-run: out of memory for items");
	return rc;
}

/* ---- results ---- */

static void print(struct map *map, const struct ipp_result *result)
{
	if (map->talks || result->err_bytes > 0 || result->outcome != IPP_OK)
		sinks_make_way(&map->sinks);
	verb_print_result(result, "item");
}

static void record(struct map *map, const struct ipp_result *result)
{
	struct ended ended = {.result = result,
			      .n_values = feed_n_lists(map->feed),
			      .run = &map->run,
			      .earlier = map->journalled.recalling};

	if (map->sinks.need_items)
		ended.item = kept_items_get(&map->items, result->index);
	sinks_add(&map->sinks, &ended);
	if (map->sinks.need_items)
		kept_items_drop(&map->items, result->index);
	map->n_done++;
}

/* It ended, but its turn to be printed never came. */
static void record_late(void *owner, const struct ipp_result *result)
{
	record(owner, result);
}

static int done(void *owner, const struct ipp_result *result)
{
	struct map *map = owner;

	if (!map->options.json)
		print(map, result);
	record(map, result);
	if (result->outcome == IPP_OK && map->words.function && result->value.kind == IPP_NONE)
		map->n_nothing++;
	if (result->outcome == IPP_OK)
		return map->mute;
	map->n_failed++;
	if (result->outcome == IPP_NO_COMMAND)
		map->last_not_run = *result;
	return map->mute || !map->options.keep_going;
}

/* Where standard output cannot be written, there is no use in going on. */
static int flush(void *owner)
{
	struct map *map = owner;

	if (!map->mute)
		map->mute = output_flush(stdout, "standard output", &map->mute_why) < 0;
	sinks_flush(&map->sinks);
	return map->mute;
}

/* ---- the map ---- */

static void describe(struct map *map)
{
	const struct map_options *options = &map->options;

	map->run = (struct ipp_run){.function = map->words.function,
				    .arguments = map->words.arguments,
				    .n_arguments = map->words.n_arguments,
				    .argv = map->words.argv,
				    .n_values = feed_n_lists(map->feed),
				    .rows = map->by_row,
				    .task_timeout_ms = options->task_timeout_ms,
				    .retries = (uint32_t)options->retries,
				    .chunk = (uint32_t)options->chunk,
				    .hwm = (uint32_t)options->hwm,
				    .unordered = options->unordered,
				    .after = options->after.ids,
				    .n_after = options->after.n,
				    .after_if = options->after.condition,
				    .follow = options->follow.ids,
				    .n_follow = options->follow.n,
				    .follow_if = options->follow.condition,
				    .wait_ms = options->wait_ms,
				    .next = next,
				    .items_fd = feed_fd(map->feed),
				    .done = done,
				    .pause = flush,
				    .owner = map};
}

static int print_commands(struct map *map)
{
	struct ipp_value item;
	uint64_t index = 0;
	int rc;

	while ((rc = feed_next(map->feed, true, &item, &map->err)) == 1) {
		char *line = command_line(&map->run, &item, map->run.n_values, index++, 0);

		if (!line)
			return ipp_fail(&map->err, ENOMEM, "ipp-run: out of memory");
		puts(line);
		free(line);
		if (ferror(stdout))
			return 0; /* which flush() tells */
	}
	return rc;
}

/* It ended early: what has ended is on record all the same. */
static void save_rest(struct map *map, struct ipp_request *request)
{
	struct ipp_error err;

	if (journalled_take_rest(&map->journalled, request, record_late, &err) < 0)
		fprintf(stderr, "ipp-run map: %s\n", err.text);
}

/* For its end, or that of its time; a bar goes on moving meanwhile. */
static int wait_for(struct map *map, struct ipp_request *request, uint32_t timeout_ms)
{
	const double until_s = timeout_ms ? verb_seconds() + timeout_ms / 1000.0 : INFINITY;
	double left_ms;
	int rc;

	do {
		left_ms = (until_s - verb_seconds()) * 1000;
		if (left_ms > TICK_MS)
			left_ms = TICK_MS;
		rc = journalled_wait(&map->journalled, request, left_ms > 0 ? (int)left_ms : 0,
				     &map->err);
		sinks_tick(&map->sinks);
	} while (rc == -ETIMEDOUT && verb_seconds() < until_s);
	return rc;
}

/* Run it to its end, or to that of its time. */
static int submit(struct map *map, struct ipp_client *client)
{
	const uint32_t timeout_ms = map->options.timeout_ms;
	struct ipp_request *request = NULL;
	int rc;

	journalled_init(&map->journalled, &map->run, map->journal, 0);
	rc = ipp_submit(client, &map->journalled.run, &request, &map->err);
	if (rc == 0) {
		rc = wait_for(map, request, timeout_ms);
		if (rc < 0)
			save_rest(map, request);
		ipp_request_free(request);
	}
	journalled_fini(&map->journalled);
	rc = journalled_verdict(&map->journalled, rc, &map->err);
	map->timed_out = rc == -ETIMEDOUT;
	if (map->timed_out)
		ipp_fail(&map->err, ETIMEDOUT,
			 "ipp-run map: the %g s of --timeout are over: %llu tasks have ended, the "
			 "others are cancelled",
			 timeout_ms / 1000.0, (unsigned long long)map->n_done);
	else if (rc == -ETIME || (rc == -EINTR && map->journal))
		verb_tell_left(&map->err, map->options.journal,
			       map->journal ? journal_count(map->journal) : map->n_done,
			       map->total);
	return rc == -ECANCELED ? 0 : rc; /* a task failed, which has been said */
}

static int open_journal(struct map *map)
{
	struct identity identity;
	const int rc = identity_init(&identity, &map->run, NULL, 0, &map->err);

	return rc < 0 ? rc
		      : journal_open(&map->journal, map->options.journal, map->options.resume,
				     &identity, &map->err);
}

/* Nobody is to believe that all is in it when it is not. */
static int close_journal(struct map *map, int rc)
{
	struct ipp_error err;
	const int closed = journal_close(map->journal, &err);

	if (rc < 0 || closed == 0)
		return rc;
	map->err = err;
	return closed;
}

static int run(struct map *map)
{
	struct ipp_client *client = NULL;
	int rc = map->run.function ? 0 : verb_directory(map->directory, &map->err);

	if (!feed_count(map->feed, &map->total))
		map->total = 0;
	map->run.label = verb_label(&map->words, map->label);
	map->run.directory = map->run.function ? NULL : map->directory;
	map->talks = isatty(STDOUT_FILENO);
	if (rc == 0 && map->options.journal)
		rc = open_journal(map);
	if (rc == 0)
		rc = map->options.async
			     ? behind_connect(&client, (unsigned)map->options.engines, &map->err)
			     : verb_connect(&client, (unsigned)map->options.engines, &map->err);
	if (rc == 0 && !map->options.async)
		verb_drainable(client);
	if (rc == 0 && map->options.targets)
		rc = verb_targets(client, map->options.targets, &map->targets, &map->run.n_among,
				  &map->err);
	map->run.among = map->targets;
	if (rc == 0 && map->options.async) {
		map->run.first_failure_ends = !map->options.keep_going;
		rc = behind_submit(client, &map->run, &map->err);
	} else if (rc == 0) {
		rc = sinks_open(&map->sinks, &map->options, map->total, &map->err);
		if (rc == 0)
			rc = submit(map, client);
		sinks_close(&map->sinks);
	}
	verb_disconnect(client);
	return close_journal(map, rc);
}

/* Lines and items no longer go together, which is worth a word, but nothing has failed. */
static void tell_nothing(const struct map *map)
{
	if (map->n_nothing > 0 && !map->options.json)
		fprintf(stderr,
			"ipp-run map: %.200s returned nothing for %llu of %llu items, and nothing "
			"was printed for them: a result is what a function gives to ipp_return()\n",
			map->words.function, (unsigned long long)map->n_nothing,
			(unsigned long long)map->n_done);
}

static int exit_code(const struct map *map, int rc)
{
	if (map->timed_out) {
		verb_fail(&map->err);
		return EXIT_TIMED_OUT;
	}
	if (rc < 0)
		return verb_fail(&map->err);
	return map->sinks.failed ? EXIT_OURS : verb_exit_code(map->n_failed, &map->last_not_run);
}

static int map(int argc, char **argv)
{
	struct map map = {0};
	int rc = map_options(&map.options, argc, argv);

	if (rc != 0)
		return rc;
	rc = verb_words(&map.words, argc, argv, &map.err);
	if (rc == 0)
		rc = open_feed(&map);
	if (rc == 0) {
		describe(&map);
		rc = map.options.dry_run ? print_commands(&map) : run(&map);
	}
	flush(&map);
	tell_nothing(&map);
	if (rc == 0 && map.mute) {
		map.err = map.mute_why;
		rc = -EIO;
	}
	feed_free(map.feed);
	kept_items_fini(&map.items);
	free(map.targets);
	verb_words_fini(&map.words);
	return exit_code(&map, rc);
}

const struct verb verb_map = {
	.name = "map",
	.summary = "run a command or a function on each item (load-balanced view)",
	.usage =
		"usage: ipp-run map [OPTION...] -- COMMAND [WORD...] [::: ITEM...]...\n"
		"       ipp-run map [OPTION...] MODULE.so:NAME [ARGUMENT=VALUE...] [START:STOP[:STEP]] "
		"[::: ITEM...]...\n"
		"       ipp-run map [OPTION...] MODULE.so:NAME [ARGUMENT=VALUE...] @FILE.npy\n"
		"Run it on each item, on whichever engine is free, and print the outputs in the "
		"order of the\n"
		"items.  In the words, as with GNU parallel: {} the item, {.} without extension, "
		"{/} without\n"
		"folders, {//} its folder, {/.} without both, {#} the task's number, {%} its "
		"engine's; without\n"
		"any of them the item comes last.  A function gets the same arguments with each item, "
		"as push takes\n"
		"values: ARGUMENT=VALUE, ARGUMENT=@FILE.npy or ARGUMENT=@FILE.\n" MAP_OPTIONS_HELP,
	.run = map,
};
