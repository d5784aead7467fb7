#include "client/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/decimal.h"
#include "client/table.h"
#include "proto/error.h"

/* ---- cells ---------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
	size_t line; /* that `at` is in, from 1 */
	const char *whence;
	struct ipp_error *err;
};

struct cell {
	const char *begin, *end; /* inside the quotes */
	size_t line;		 /* where it begins */
	bool quoted;		 /* "" in it stands for a quote */
	bool last;		 /* in its line */
};

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t'))
		reader->at++;
}

/* Step over the end of a line, or of the text, if it is next. */
static bool take_line_end(struct reader *reader)
{
	if (reader->at == reader->end)
		return true;
	if (*reader->at != '\n' && *reader->at != '\r')
		return false;
	reader->at += *reader->at == '\r' && reader->at[1] == '\n' ? 2 : 1;
	reader->line++;
	return true;
}

/* From the opening quote to behind the closing one. */
static int read_quoted(struct reader *reader, struct cell *cell)
{
	cell->quoted = true;
	cell->begin = ++reader->at;
	for (; reader->at < reader->end; reader->at++) {
		reader->line += *reader->at == '\n';
		if (*reader->at == '"' && reader->at[1] != '"') {
			cell->end = reader->at++;
			return 0;
		}
		reader->at += *reader->at == '"';
	}
	return ipp_fail(reader->err, EINVAL,
			"%s:%zu: a quote opens here and is never closed: close it, or double it if "
			"it is part of the text",
			reader->whence, cell->line);
}

static void read_bare(struct reader *reader, struct cell *cell)
{
	cell->quoted = false;
	cell->begin = reader->at;
	while (reader->at < reader->end && *reader->at != ',' && *reader->at != '\n' &&
	       *reader->at != '\r')
		reader->at++;
	cell->end = reader->at;
	while (cell->end > cell->begin && (cell->end[-1] == ' ' || cell->end[-1] == '\t'))
		cell->end--;
}

static int read_cell(struct reader *reader, struct cell *cell)
{
	int rc = 0;

	skip_blanks(reader);
	cell->line = reader->line;
	if (*reader->at == '"')
		rc = read_quoted(reader, cell);
	else
		read_bare(reader, cell);
	if (rc < 0)
		return rc;
	skip_blanks(reader);
	cell->last = take_line_end(reader);
	if (!cell->last && *reader->at++ != ',')
		return ipp_fail(
			reader->err, EINVAL,
			"%s:%zu: text follows a closing quote; a quote within quotes is written "
			"twice",
			reader->whence, reader->line);
	return 0;
}

/* Step over lines without anything in them. */
static void skip_empty_lines(struct reader *reader)
{
	const char *start;

	do {
		start = reader->at;
		skip_blanks(reader);
	} while (take_line_end(reader) && reader->at > start);
}

/* `length` bytes of text as an error can show them: one line, and no longer than fits. */
#define EXCERPT_BYTES 40
static const char *excerpt(char out[EXCERPT_BYTES], const char *text, size_t length)
{
	size_t shown = length < EXCERPT_BYTES ? length : EXCERPT_BYTES - 4;

	/* Do not cut a UTF-8 sequence. */
	while (shown < length && shown > 0 && (text[shown] & 0xc0) == 0x80)
		shown--;
	for (size_t i = 0; i < shown; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
	snprintf(out + shown, EXCERPT_BYTES - shown, shown < length ? "..." : "");
	return out;
}

/* ---- the header line ------------------------------------------------------------------------ */

struct header {
	char **names;
	size_t n;
};

static void header_fini(struct header *header)
{
	for (size_t i = 0; i < header->n; i++)
		free(header->names[i]);
	free(header->names);
}

static char *cell_name(const struct cell *cell)
{
	char *name = calloc(1, (size_t)(cell->end - cell->begin) + 1);
	char *to = name;

	for (const char *from = cell->begin; name && from < cell->end; from++) {
		*to++ = *from;
		from += cell->quoted && *from == '"';
	}
	return name;
}

static int read_header(struct reader *reader, struct header *header)
{
	struct cell cell = {.last = false};

	while (!cell.last) {
		char **more;
		int rc = read_cell(reader, &cell);

		if (rc < 0)
			return rc;
		if (cell.begin == cell.end)
			return ipp_fail(
				reader->err, EINVAL,
				"%s:%zu: column %zu has no name; name it, or leave it out if it "
				"only numbers the rows",
				reader->whence, cell.line, header->n + 1);
		more = header->names; /* doubled whenever its length is a power of two */
		if ((header->n & (header->n - 1)) == 0)
			more = reallocarray(more, header->n ? header->n * 2 : 1, sizeof(*more));
		if (!more)
			return ipp_fail(reader->err, ENOMEM, "%s: %m", reader->whence);
		header->names = more;
		more[header->n] = cell_name(&cell);
		if (!more[header->n])
			return ipp_fail(reader->err, ENOMEM, "%s: %m", reader->whence);
		header->n++;
	}
	return 0;
}

static int check_header(const struct reader *reader, const struct header *header, bool has_target)
{
	char shown[EXCERPT_BYTES];
	size_t n_numbers = 0;
	double value;

	if (header->n == 1 && has_target)
		return ipp_fail(
			reader->err, EINVAL,
			"%s: has one column, '%s'; a target and a feature at least are needed, "
			"with a comma between",
			reader->whence, excerpt(shown, header->names[0], strlen(header->names[0])));
	for (size_t i = 0; i < header->n; i++) {
		const char *name = header->names[i];

		n_numbers += decimal_parse(name, name + strlen(name), &value) == 0;
	}
	if (n_numbers == header->n)
		return ipp_fail(reader->err, EINVAL,
				"%s: begins with numbers; the first line must name the columns",
				reader->whence);
	return 0;
}

/* "a, b, c, ...": as many names as fit. */
static void list_names(const struct header *header, char *out, size_t out_bytes)
{
	size_t used = 0;

	for (size_t i = 0; i < header->n; i++) {
		char shown[EXCERPT_BYTES];
		const char *name = excerpt(shown, header->names[i], strlen(header->names[i]));

		if (used + strlen(name) + sizeof(", ...") + 2 > out_bytes) {
			snprintf(out + used, out_bytes - used, ", ...");
			return;
		}
		used += (size_t)snprintf(out + used, out_bytes - used, i ? ", %s" : "%s", name);
	}
}

static int find_target(const struct reader *reader, const struct header *header, const char *target,
		       size_t *out)
{
	size_t found = header->n;
	char shown[EXCERPT_BYTES];
	char names[240];
	char *end;
	unsigned long number;

	for (size_t i = 0; i < header->n; i++) {
		if (strcmp(header->names[i], target) != 0)
			continue;
		if (found < header->n)
			return ipp_fail(
				reader->err, EINVAL,
				"%s: columns %zu and %zu are both called '%s'; give --target one "
				"of these numbers",
				reader->whence, found + 1, i + 1,
				excerpt(shown, target, strlen(target)));
		found = i;
	}
	errno = 0;
	number = strtoul(target, &end, 10);
	if (found == header->n && strspn(target, "0123456789") == strlen(target) && errno == 0 &&
	    number >= 1 && number <= header->n)
		found = number - 1;
	if (found == header->n) {
		list_names(header, names, sizeof(names));
		return ipp_fail(
			reader->err, EINVAL,
			"%s: has no column '%s'; --target takes a number from 1 to %zu or a "
			"name: %s",
			reader->whence, excerpt(shown, target, strlen(target)), header->n, names);
	}
	*out = found;
	return 0;
}

/* ---- the rows ------------------------------------------------------------------------------- */

static int read_number(const struct reader *reader, const struct header *header, size_t column,
		       const struct cell *cell, double *out)
{
	const char *name = header->names[column];
	char shown[EXCERPT_BYTES], text[EXCERPT_BYTES];
	int rc = decimal_parse(cell->begin, cell->end, out);

	if (rc == 0)
		return 0;
	excerpt(shown, name, strlen(name));
	excerpt(text, cell->begin, (size_t)(cell->end - cell->begin));
	if (rc == -ERANGE)
		return ipp_fail(
			reader->err, EINVAL,
			"%s:%zu: column %zu (%s): %s is larger than any double can be: correct it, or leave the row out",
			reader->whence, cell->line, column + 1, shown, text);
	if (cell->begin == cell->end)
		return ipp_fail(
			reader->err, EINVAL,
			"%s:%zu: column %zu (%s) is empty; fill it in, or leave the row out",
			reader->whence, cell->line, column + 1, shown);
	return ipp_fail(
		reader->err, EINVAL,
		"%s:%zu: column %zu (%s): '%s' is not a finite number: correct it, or leave the row out",
		reader->whence, cell->line, column + 1, shown, text);
}

/* Fill x[0..p) and *y from the next line. */
static int read_row(struct reader *reader, const struct header *header, size_t target, double *x,
		    double *y)
{
	struct cell cell = {.last = true};

	for (size_t column = 0; column < header->n; column++) {
		int rc = read_cell(reader, &cell);

		if (rc < 0)
			return rc;
		if (cell.last && column < header->n - 1)
			return ipp_fail(
				reader->err, EINVAL,
				"%s:%zu: has %zu of the header's %zu columns: add what is missing",
				reader->whence, cell.line, column + 1, header->n);
		rc = read_number(reader, header, column, &cell, column == target ? y : x++);
		if (rc < 0)
			return rc;
	}
	if (!cell.last)
		return ipp_fail(
			reader->err, EINVAL,
			"%s:%zu: has more than the header's %zu columns: quote a text that has commas",
			reader->whence, cell.line, header->n);
	return 0;
}

static int table_grow(struct table *table, size_t room)
{
	double *x = reallocarray(table->x, room, table->p * sizeof(*x));
	double *y;

	if (!x)
		return -ENOMEM;
	table->x = x;
	y = reallocarray(table->y, room, sizeof(*y));
	if (!y)
		return -ENOMEM;
	table->y = y;
	return 0;
}

static int read_rows(struct reader *reader, const struct header *header, size_t target,
		     struct table *table)
{
	size_t room = 0;
	int rc;

	for (skip_empty_lines(reader); reader->at < reader->end; skip_empty_lines(reader)) {
		if (table->n == room) {
			room = room * 2 + 1;
			if (table_grow(table, room) < 0)
				return ipp_fail(reader->err, ENOMEM, "%s: %m", reader->whence);
		}
		rc = read_row(reader, header, target, table->x + table->n * table->p,
			      table->y + table->n);
		if (rc < 0)
			return rc;
		table->n++;
	}
	if (table->n == 0)
		return ipp_fail(reader->err, EINVAL, "%s: has a header line and no rows: add some",
				reader->whence);
	return 0;
}

int csv_table(struct table *out, const char *text, size_t bytes, const char *target,
	      const char *whence, struct ipp_error *err)
{
	struct reader reader = {
		.at = text, .end = text + bytes, .line = 1, .whence = whence, .err = err};
	struct header header = {.n = 0};
	struct table table = {.n = 0};
	size_t target_column = SIZE_MAX;
	int rc;

	if (bytes >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return ipp_fail(err, EINVAL, "%s: is UTF-16 text; save it as UTF-8", whence);
	if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		reader.at += 3;
	skip_empty_lines(&reader);
	if (reader.at == reader.end)
		return ipp_fail(err, EINVAL,
				"%s: is empty: give a file with a header line and rows", whence);

	rc = read_header(&reader, &header);
	if (rc == 0)
		rc = check_header(&reader, &header, target != NULL);
	if (rc == 0 && target)
		rc = find_target(&reader, &header, target, &target_column);
	if (rc == 0) {
		table.p = target ? header.n - 1 : header.n;
		rc = read_rows(&reader, &header, target_column, &table);
	}
	if (!target) {
		free(table.y);
		table.y = NULL;
	}
	if (rc == 0) {
		*out = table;
		table = (struct table){.n = 0};
	}
	table_fini(&table);
	header_fini(&header);
	return rc;
}
