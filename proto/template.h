/* proto/template.h - the words of a command with an item in them, as GNU parallel has them.
 *
 *   {}   the item                 {/}   without its folders      {#}  the task's number, from 1
 *   {.}  without its extension    {//}  its folder alone         {%}  its engine's number, from 1
 *   {/.} without both             {2}, {2.}, {2/}, {2//}, {2/.}  the same of the second value
 *
 * Of several values {} is all of them, with spaces between; a word that is {} alone becomes a word
 * for each.  In a template without any of these the values come last.  What is in braces and none
 * of these stays.  No shell reads the words.  Thread: any. */
#ifndef IPP_PROTO_TEMPLATE_H
#define IPP_PROTO_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

struct ipp_error;

#define TEMPLATE_VALUES_MAX 64
/* The kernel takes no longer word: MAX_ARG_STRLEN, less its NUL. */
#define TEMPLATE_WORD_MAX (32 * 4096 - 1)

struct template_task {
	/* What an item is: its values, with a NUL behind each but the last. */
	const char *item;
	size_t item_bytes;
	size_t n_values;
	uint64_t index; /* from 0 */
	uint32_t engine;
};

/* The words for one task (gives; template_free(); ends with NULL).  -E2BIG: one would be longer
 * than TEMPLATE_WORD_MAX; -EINVAL: the item is not n_values texts; -ENOMEM. */
int template_fill(char ***out, char *const *argv, size_t n_argv, const struct template_task *task,
		  struct ipp_error *err);

/* The words as they are (gives, likewise). 0 or -ENOMEM. */
int template_copy(char ***out, char *const *argv, size_t n_argv, struct ipp_error *err);

void template_free(char **words); /* NULL is fine */

#endif
