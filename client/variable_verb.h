/* client/variable_verb.h - what the verbs for variables share: they reach a cluster that is there,
 * and choose engines of it.
 *
 * Thread: main. */
#ifndef IPP_CLIENT_VARIABLE_VERB_H
#define IPP_CLIENT_VARIABLE_VERB_H

#include <stdbool.h>

#include "client/verb.h"

struct variable_verb {
	const char *targets_text; /* --targets, or NULL */
	const char *output;	  /* -o, or NULL */
	bool text;		  /* --text */
	bool async;		  /* --async */
	struct ipp_client *client;
	uint32_t *targets;
	size_t n_targets;
};

/* Take the options that `allowed` names, "t" --targets, "o" --output, "x" --text, "a" --async;
 * optind is then at the first word.  0, or the exit code after saying what is wrong. */
int variable_options(struct variable_verb *words, const struct verb *verb, const char *allowed,
		     int argc, char **argv);

/* Engines that were started for a verb would end with it, so none are.  0 or a negative errno. */
int variable_connect(struct variable_verb *words, struct ipp_error *err);

/* --async: submit it, print its id and leave it behind.  Arguments as in struct ipp_errand. */
int variable_leave(const struct variable_verb *words, enum ipp_work what, const char *name,
		   const struct ipp_value *value, const char *path, struct ipp_error *err);
#define VARIABLE_ASYNC                                                                             \
	"  --async         leave it behind and print its id, for ipp-run result, wait and cancel\n"

void variable_end(struct variable_verb *words);

#endif
