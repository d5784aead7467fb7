#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/output.h"
#include "client/verb.h"

struct map {
	char **items; /* from the command line, or NULL: lines of stdin */
	size_t n_items, at;
	char *line;
	size_t room;
	bool keep_going;
	uint64_t n_failed;
	struct ipp_result last_not_run;
	struct ipp_error *err;
};

static int next_line(struct map *map, struct ipp_value *item)
{
	ssize_t n;

	errno = 0;
	n = getline(&map->line, &map->room, stdin);
	if (n < 0 && ferror(stdin))
		return ipp_fail(map->err, errno, "ipp-run map: cannot read items from stdin: %m");
	if (n < 0)
		return 0;
	if (n > 0 && map->line[n - 1] == '\n')
		map->line[--n] = '\0';
	*item = (struct ipp_value){.kind = IPP_TEXT, .text = map->line, .bytes = (size_t)n};
	return 1;
}

static int next(void *owner, struct ipp_value *item)
{
	struct map *map = owner;
	const char *text;

	if (!map->items)
		return next_line(map, item);
	if (map->at == map->n_items)
		return 0;
	text = map->items[map->at++];
	*item = (struct ipp_value){.kind = IPP_TEXT, .text = text, .bytes = strlen(text)};
	return 1;
}

static int done(void *owner, const struct ipp_result *result)
{
	struct map *map = owner;
	char who[48];

	snprintf(who, sizeof(who), "item %llu", (unsigned long long)result->index);
	verb_print_result(result, who);
	if (result->outcome == IPP_OK)
		return 0;
	map->n_failed++;
	if (result->outcome == IPP_NO_COMMAND)
		map->last_not_run = *result;
	return !map->keep_going;
}

static int map(int argc, char **argv)
{
	static const struct option options[] = {
		{"engines", required_argument, NULL, 'n'},
		{"keep-going", no_argument, NULL, 'k'},
		{0},
	};
	char directory[4096], label[VERB_LABEL_BYTES];
	struct ipp_error err;
	struct map map = {.err = &err};
	struct ipp_run run = {.next = next, .done = done, .owner = &map};
	struct ipp_client *client = NULL;
	struct verb_words words = {0};
	uint64_t engines = 0;
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "+n:k", options, NULL)) != -1) {
		if (c == 'n')
			rc = verb_number("--engines", optarg, 1, 4096, &engines, &err);
		else if (c == 'k')
			map.keep_going = true;
		else
			return verb_misuse(&verb_map, "\'%s\' is not an option, or lacks its value",
					   argv[optind - 1]);
	}
	if (rc == 0)
		rc = verb_words(&words, argc, argv, &err);
	if (rc == 0 && !words.items && isatty(STDIN_FILENO))
		rc = ipp_fail(
			&err, EINVAL,
			"ipp-run map: there are no items: give them behind ::: or on stdin, a "
			"line each");
	if (rc == 0)
		rc = verb_connect(&client, (unsigned)engines, &err);
	if (rc == 0) {
		map.items = words.items;
		map.n_items = words.n_items;
		run.function = words.function;
		run.argv = words.argv;
		run.label = verb_label(&words, label);
		run.directory = getcwd(directory, sizeof(directory));
		rc = ipp_run(client, &run, &err);
	}
	if (rc == -ECANCELED)
		rc = 0; /* a task failed, which has been said */
	if (rc == 0)
		rc = output_flush(stdout, "standard output", &err);
	ipp_disconnect(client);
	free(map.line);
	free(words.argv);
	return rc < 0 ? verb_fail(&err) : verb_exit_code(map.n_failed, &map.last_not_run);
}

const struct verb verb_map = {
	.name = "map",
	.summary = "run a command or a function on each item (load-balanced view)",
	.usage = "usage: ipp-run map [--engines N] [--keep-going] -- COMMAND [WORD...] [::: "
		 "ITEM...]\n"
		 "       ipp-run map [--engines N] [--keep-going] MODULE.so:NAME [::: ITEM...]\n"
		 "Run it on each item, on whichever engine is free, and print the outputs in the "
		 "order of the\n"
		 "items.  The item stands for {} in the words, or comes last.  Without ::: the "
		 "items are the\n"
		 "lines of stdin.\n"
		 "  --engines N       where there is no cluster: start N engines on this machine\n"
		 "  -k, --keep-going  a task that fails does not stop the rest\n",
	.run = map,
};
