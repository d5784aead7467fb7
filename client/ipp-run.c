/* ipp-run - drive the engines of a cluster from the shell. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/output.h"
#include "client/standard_output.h"
#include "client/verb.h"
#include "proto/standard_fds.h"

static const struct verb *const verbs[] = {
	&verb_loo,     &verb_cv,      &verb_forest, &verb_map,	   &verb_apply,
	&verb_execute, &verb_push,    &verb_pull,   &verb_scatter, &verb_gather,
	&verb_ls,      &verb_rm,      &verb_run,    &verb_result,  &verb_status,
	&verb_queue,   &verb_history, &verb_cancel, &verb_journal, &verb_top,
	&verb_bench,   &verb_ids,     &verb_start,  &verb_stop,	   &verb_wait,
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void help(FILE *out)
{
	fputs("usage: ipp-run VERB [WORD...]; ipp-run VERB --help says more\n", out);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(out, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("Exit codes: 0 all is well; 1-100 so many tasks failed, 101 more; 120 the job ends "
	      "first;\n"
	      "121 it still runs; 124 --timeout was over; 125 ipp-run or the cluster; 126, 127 the "
	      "command\n"
	      "cannot be run, is not there; 130 Ctrl-C.\n",
	      out);
}

/* Behind a word that is neither an option nor can be an option's value, --help is an item or for
 * the user's script; the first `n_words` are the verb. */
static bool wants_help(int argc, char **argv, int n_words)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
		if (i >= n_words && argv[i][0] != '-' && (i == n_words || argv[i - 1][0] != '-'))
			return false;
	}
	return false;
}

static int obey(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(stdout);
		return 0;
	}
	if (strcmp(name, "--version") == 0) {
		puts("ipp-run (slurm-ipp) " IPP_VERSION);
		return 0;
	}
	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i]->name, name) != 0)
			continue;
		if (wants_help(argc - 1, argv + 1, verbs[i] == &verb_forest ? 2 : 1)) {
			fputs(verbs[i]->usage, stdout);
			return 0;
		}
		return verb_call(verbs[i], argc - 1, argv + 1);
	}
	if (argc < 2)
		fputs("ipp-run: which verb? ", stderr);
	else
		fprintf(stderr, "ipp-run: '%.100s' is not a verb: ", name);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(stderr, "%s%s",
			i == 0		  ? ""
			: i + 1 < N_VERBS ? ", "
					  : " or ",
			verbs[i]->name);
	fputs("; see ipp-run --help\n", stderr);
	return EXIT_OURS;
}

int main(int argc, char **argv)
{
	struct ipp_error err;
	int code;

	standard_fds_fill();
	/* A file that may not grow is to be one that cannot be written. */
	signal(SIGXFSZ, SIG_IGN);
	standard_output_take();
	opterr = 0; /* verbs name what they do not know, in one sentence */
	code = obey(argc, argv);
	if (code == 0 && output_flush(stdout, "ipp-run: standard output", &err) < 0)
		return verb_fail(&err);
	return code;
}
