/* client/command_line.c - a task's command as a person would type it. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/decimal.h"
#include "client/sink.h"
#include "proto/template.h"

static bool is_plain(const char *word)
{
	if (!*word)
		return false;
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && !strchr("@%+=:,./-_", *word))
			return false;
	return true;
}

/* Newlines and the like as $'..' has them, so that a command is one line. */
static void write_special(FILE *out, const char *word)
{
	fputs("$'", out);
	for (; *word; word++) {
		const unsigned char c = (unsigned char)*word;

		if (c == '\'' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < ' ' || c == 0x7f)
			fprintf(out, "\\%03o", c);
		else
			putc(c, out);
	}
	putc('\'', out);
}

static void write_quoted(FILE *out, const char *word)
{
	putc('\'', out);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", out);
		else
			putc(*word, out);
	putc('\'', out);
}

static void write_word(FILE *out, const char *word)
{
	const char *c = word;

	while (*c && !iscntrl((unsigned char)*c))
		c++;
	if (*c)
		write_special(out, word);
	else if (is_plain(word))
		fputs(word, out);
	else
		write_quoted(out, word);
}

/* As argument_read() reads it; what holds the rows is typed without its name. */
static void write_argument(FILE *out, const struct ipp_argument *argument, bool rows)
{
	const struct ipp_value *value = &argument->value;
	char text[DECIMAL_BYTES], *word = NULL;
	int rc;

	if (rows)
		rc = asprintf(&word, "@%s", argument->file);
	else if (argument->file)
		rc = asprintf(&word, "%s=@%s", argument->name, argument->file);
	else if (value->kind == IPP_INTEGER)
		rc = asprintf(&word, "%s=%" PRId64, argument->name, value->integer);
	else if (value->kind == IPP_REAL)
		rc = asprintf(&word, "%s=%s", argument->name,
			      decimal_text(value->real, false, text));
	else
		rc = asprintf(&word, "%s=%s", argument->name, value->text);
	if (rc < 0)
		return;
	putc(' ', out);
	write_word(out, word);
	free(word);
}

/* The arguments of a function stand between it and its item. */
static void write_words(FILE *out, char *const *words, const struct ipp_run *run)
{
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			putc(' ', out);
		write_word(out, words[i]);
		for (size_t k = 0; i == 0 && k < run->n_arguments; k++)
			write_argument(out, &run->arguments[k], run->rows && k == 0);
	}
}

static int fill(char ***words, const struct ipp_run *run, const struct template_task *task)
{
	const char *const function[] = {run->function};
	const char *const *argv = run->function ? function : run->argv;
	size_t n = run->function != NULL;

	while (!run->function && argv[n])
		n++;
	return template_fill(words, (char *const *)argv, n, task, NULL);
}

char *command_line(const struct ipp_run *run, const struct ipp_value *item, size_t n_values,
		   uint64_t index, uint32_t engine)
{
	struct template_task task = {.item = item->text,
				     .item_bytes = item->bytes,
				     .n_values = n_values,
				     .index = index,
				     .engine = engine};
	char **words = NULL;
	char *line = NULL;
	char number[32];
	size_t bytes;
	FILE *out;

	if (item->kind == IPP_INTEGER) {
		task.item = number;
		task.item_bytes = (size_t)snprintf(number, sizeof(number), "%" PRId64,
						   item->integer);
	}
	out = open_memstream(&line, &bytes);
	if (!out)
		return NULL;
	/* What cannot be filled in could not be run either, and the result says why. */
	if (fill(&words, run, &task) == 0)
		write_words(out, words, run);
	else
		write_words(out,
			    (char *const[]){(char *)(run->function ? run->function : run->argv[0]),
					    NULL},
			    run);
	template_free(words);
	if (fclose(out) == 0)
		return line;
	free(line);
	return NULL;
}
