/* client/verb.h - what the verbs of ipp-run share: one file each in client/verbs. */
#ifndef IPP_CLIENT_VERB_H
#define IPP_CLIENT_VERB_H

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>

#include "client/ipp/client.h"
#include "proto/error.h"

enum verb_exit {
	EXIT_FAILED_MAX = 101, /* 1..100 tasks failed; 101: more than 100 */
	EXIT_REQUEUE = 120,    /* the job ends before it is done: another can go on */
	EXIT_UNFINISHED = 121, /* result --no-wait: it still runs */
	EXIT_TIMED_OUT = 124,  /* --timeout was over */
	EXIT_OURS = 125,       /* wrong use, no cluster, or it was lost */
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_INTERRUPTED = 130,
};

struct verb {
	const char *name, *summary, *usage;
	/* Words as main() gets them, argv[0] the verb; an exit code. */
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_apply, verb_bench, verb_cancel, verb_cv, verb_execute, verb_forest,
	verb_gather, verb_history, verb_ids, verb_journal, verb_loo, verb_ls, verb_map, verb_pull,
	verb_push, verb_queue, verb_result, verb_rm, verb_run, verb_scatter, verb_start,
	verb_status, verb_stop, verb_top, verb_wait;

double verb_seconds(void); /* CLOCK_MONOTONIC */

/* Run it: main() alone does. */
int verb_call(const struct verb *verb, int argc, char **argv);

/* Print one sentence on stderr, which begins with "ipp-run VERB: " unless it says itself who
 * speaks; returns EXIT_OURS, EXIT_INTERRUPTED for EINTR, EXIT_REQUEUE for ETIME. */
int verb_fail(const struct ipp_error *err);

/* Wrong use: say it, and where help is; returns EXIT_OURS. */
int verb_misuse(const struct verb *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* When getopt_long() returned '?' of `known`: -EINVAL and what is wrong with which word of argv. */
int verb_unknown_option(const char *verb, int argc, char **argv, const struct option *known,
			struct ipp_error *err);

/* A whole number in [low, high]; -EINVAL with what `option` takes. */
int verb_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *out,
		struct ipp_error *err);

/* Seconds, such as 0.5, in milliseconds; -EINVAL. */
int verb_duration(const char *option, const char *text, uint32_t *ms, struct ipp_error *err);

/* A request's id as people write it, "3.1"; -EINVAL. */
int verb_request_id(const char *text, uint64_t *out, struct ipp_error *err);

/* The same in the other direction. */
#define VERB_ID_BYTES 24
const char *verb_request_name(uint64_t id, char name[VERB_ID_BYTES]);

/* Connect; `engines` as typed with --engines, 0 when it was not.  Ctrl-C interrupts from then on.
 */
int verb_connect(struct ipp_client **out, unsigned engines, struct ipp_error *err);
void verb_interruptible(struct ipp_client *client); /* that last part alone */

/* SIGUSR1 and SIGTERM let what runs end and nothing more begin (ipp_drain()), so that another job
 * can go on: by what Slurm lets pass between SIGTERM and SIGKILL the latter has a limit.  A second
 * SIGTERM is as Ctrl-C. */
void verb_drainable(struct ipp_client *client);

/* A map ended with -ETIME or -EINTR, and why is in *err: add what that means.
 *   journal  path of the one that has all that is done; NULL: there is none
 *   total    0: not known */
void verb_tell_left(struct ipp_error *err, const char *journal, uint64_t n_done, uint64_t total);

/* NULL is fine.  A signal that comes later finds no client. */
void verb_disconnect(struct ipp_client *client);

/* Like verb_connect(), to a cluster that is there. */
int verb_connect_existing(struct ipp_client **out, struct ipp_error *err);

/* The directory that commands are to run in: ours.  -ENOENT and the like where it is gone. */
#define VERB_DIRECTORY_BYTES 4096
int verb_directory(char directory[VERB_DIRECTORY_BYTES], struct ipp_error *err);

/* Ranks that --targets names (gives; free()), NULL text meaning all.  -ENOENT when one is missing.
 */
int verb_targets(struct ipp_client *client, const char *text, uint32_t **out, size_t *n,
		 struct ipp_error *err);

/* What a finished task has to say: its output, its result, and on stderr its failure, with where
 * that was and which it is: the index of an "item" or a "task"; `what` NULL: the engine says it. */
void verb_print_result(const struct ipp_result *result, const char *what);
void verb_print_value(FILE *out, const struct ipp_value *value); /* its result alone */

/* The words of a verb that runs something: options have been taken, at argv[optind]. */
struct verb_words {
	const char *function;		/* MODULE.so:NAME, or NULL */
	struct ipp_argument *arguments; /* the words NAME=VALUE behind it */
	size_t n_arguments;
	const char *range; /* the word behind it that is none, or NULL */
	const char **argv; /* the command, ends with NULL */
	char **items;	   /* behind ":::", or NULL */
	size_t n_items;
};
int verb_words(struct verb_words *out, int argc, char **argv, struct ipp_error *err);
void verb_words_fini(struct verb_words *words);

/* What a list of requests calls them: the words, as many as fit. */
#define VERB_LABEL_BYTES 80
const char *verb_label(const struct verb_words *words, char label[VERB_LABEL_BYTES]);

/* The exit code for tasks that failed: how many, or why the last could not be run. */
int verb_exit_code(uint64_t n_failed, const struct ipp_result *last_not_run);

#endif
