#include "client/map_options.h"

#include <string.h>

/* How an option's value is read into the member at `offset`. */
enum kind {
	FLAG,	 /* bool */
	TEXT,	 /* const char * */
	NUMBER,	 /* uint64_t, in [low, high] */
	AUTO,	 /* likewise, or "auto": 0 */
	SECONDS, /* uint32_t milliseconds */
	FILE_OF, /* added to files */
	AFTER,	 /* struct after */
};

struct row {
	const char *name;
	char letter; /* 0: none */
	enum kind kind;
	size_t offset;
	uint64_t low, high;
};

#define AT(member) offsetof(struct map_options, member)

/* clang-format off */
static const struct row rows[] = {
	{"engines",      'n', NUMBER,  AT(engines), 1, 4096},
	{"targets",      't', TEXT,    AT(targets), 0, 0},
	{"arg-file",     'a', FILE_OF, AT(files), 0, 0},
	{"null",         '0', FLAG,    AT(null), 0, 0},
	{"keep-going",   'k', FLAG,    AT(keep_going), 0, 0},
	{"unordered",    'u', FLAG,    AT(unordered), 0, 0},
	{"chunk",        0,   AUTO,    AT(chunk), 1, 1000000},
	{"hwm",          0,   NUMBER,  AT(hwm), 0, 1000000},
	{"retries",      0,   NUMBER,  AT(retries), 0, 1000},
	{"task-timeout", 0,   SECONDS, AT(task_timeout_ms), 0, 0},
	{"timeout",      0,   SECONDS, AT(timeout_ms), 0, 0},
	{"after",        0,   AFTER,   AT(after), 0, 0},
	{"follow",       0,   AFTER,   AT(follow), 0, 0},
	{"after-timeout", 0,  SECONDS, AT(wait_ms), 0, 0},
	{"joblog",       0,   TEXT,    AT(joblog), 0, 0},
	{"results",      0,   TEXT,    AT(results), 0, 0},
	{"journal",      0,   TEXT,    AT(journal), 0, 0},
	{"resume",       0,   FLAG,    AT(resume), 0, 0},
	{"json",         0,   FLAG,    AT(json), 0, 0},
	{"progress",     0,   FLAG,    AT(progress), 0, 0},
	{"no-progress",  0,   FLAG,    AT(no_progress), 0, 0},
	{"dry-run",      0,   FLAG,    AT(dry_run), 0, 0},
	{"async",        0,   FLAG,    AT(async), 0, 0},
};
/* clang-format on */

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
#define NO_LETTER 256 /* values of options without one begin here */

static int add_file(struct map_options *options, const char *path, struct ipp_error *err)
{
	if (options->n_files == MAP_FILES_MAX)
		return ipp_fail(
			err, E2BIG,
			"ipp-run map: more than %d times --arg-file: put values that belong together into one item",
			MAP_FILES_MAX);
	options->files[options->n_files++] = path;
	return 0;
}

static int take(struct map_options *options, const struct row *row, const char *text,
		struct ipp_error *err)
{
	void *member = (char *)options + row->offset;
	char name[32];

	snprintf(name, sizeof(name), "--%s", row->name);
	switch (row->kind) {
	case FLAG:
		*(bool *)member = true;
		return 0;
	case TEXT:
		*(const char **)member = text;
		return 0;
	case AUTO:
		if (strcmp(text, "auto") == 0) {
			*(uint64_t *)member = 0;
			return 0;
		}
		return verb_number(name, text, row->low, row->high, member, err);
	case NUMBER:
		return verb_number(name, text, row->low, row->high, member, err);
	case SECONDS:
		return verb_duration(name, text, member, err);
	case FILE_OF:
		return add_file(options, text, err);
	case AFTER:
		break;
	}
	return after_take(member, name, text, err);
}

/* For getopt_long(), which stops at the first word that is no option. */
static void describe(struct option *long_options, char *letters)
{
	*letters++ = '+';
	for (size_t i = 0; i < N_ROWS; i++) {
		const bool has_value = rows[i].kind != FLAG;

		long_options[i] = (struct option){rows[i].name,
						  has_value ? required_argument : no_argument, NULL,
						  NO_LETTER + (int)i};
		if (rows[i].letter)
			*letters++ = rows[i].letter;
		if (rows[i].letter && has_value)
			*letters++ = ':';
	}
	*letters = '\0';
	long_options[N_ROWS] = (struct option){0};
}

static const struct row *find(int c)
{
	if (c >= NO_LETTER)
		return &rows[c - NO_LETTER];
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].letter == c)
			return &rows[i];
	return NULL;
}

/* What is done with results here, or for as long as we are here. */
static bool wants_results(const struct map_options *options)
{
	return options->unordered || options->json || options->joblog || options->results ||
	       options->journal || options->progress || options->timeout_ms > 0;
}

int map_options(struct map_options *options, int argc, char **argv)
{
	struct option long_options[N_ROWS + 1];
	char letters[2 * N_ROWS + 2];
	struct ipp_error err;
	int c, rc = 0;

	describe(long_options, letters);
	while (rc == 0 && (c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		const struct row *row = find(c);

		rc = row ? take(options, row, optarg, &err)
			 : verb_unknown_option("map", argc, argv, long_options, &err);
	}
	if (rc == 0 && options->async && wants_results(options))
		return verb_misuse(
			&verb_map,
			"--async leaves before there are results, so that --unordered, "
			"--json, --joblog, --results, --journal, --progress and --timeout "
			"make no sense");
	if (rc == 0 && options->resume && !options->journal)
		return verb_misuse(&verb_map, "--resume needs the --journal FILE to go on from");
	return rc < 0 ? verb_fail(&err) : 0;
}
