/* client/progress_bar.c - how far a map is, on the last line of a terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/sink.h"
#include "client/verb.h"
#include "proto/error.h"

#define REDRAW_S 0.1
#define QUIET_S 1.0 /* short maps need no bar */
#define BAR_MAX 40
#define LINE_MAX_BYTES 256

struct progress_bar {
	struct sink sink;
	uint64_t total, done, failed;
	uint64_t earlier; /* of those done: not ours */
	double start_s, drawn_s;
	bool shown, forced;
};

static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static void write_duration(char *text, size_t bytes, double seconds)
{
	const unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;

	if (s < 3600)
		snprintf(text, bytes, "%lu:%02lu", s / 60, s % 60);
	else
		snprintf(text, bytes, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

/* "400/1000 40 % 12.3/s ETA 0:49, 2 failed" */
static void describe(const struct progress_bar *bar, double now_s, char *text, size_t bytes)
{
	const double elapsed_s = now_s - bar->start_s;
	const double rate = elapsed_s > 0 ? (double)(bar->done - bar->earlier) / elapsed_s : 0;
	char duration[32], failed[48] = "";

	if (bar->failed > 0)
		snprintf(failed, sizeof(failed), ", %llu failed", (unsigned long long)bar->failed);
	if (bar->total == 0) {
		write_duration(duration, sizeof(duration), elapsed_s);
		snprintf(text, bytes, "%llu done %.*f/s %s%s", (unsigned long long)bar->done,
			 rate < 100, rate, duration, failed);
		return;
	}
	write_duration(duration, sizeof(duration),
		       rate > 0 ? (double)(bar->total - bar->done) / rate : 0);
	snprintf(text, bytes, "%llu/%llu %d %% %.*f/s ETA %s%s", (unsigned long long)bar->done,
		 (unsigned long long)bar->total,
		 (int)(100.0 * (double)bar->done / (double)bar->total),
		 rate<100, rate, rate> 0 ? duration : "?", failed);
}

static void draw(struct progress_bar *bar, double now_s)
{
	const size_t room = columns();
	char text[LINE_MAX_BYTES], line[BAR_MAX + 3] = "";
	size_t width, filled;

	describe(bar, now_s, text, sizeof(text));
	width = bar->total > 0 && room > strlen(text) + 14 ? room - strlen(text) - 4 : 0;
	if (width > BAR_MAX)
		width = BAR_MAX;
	filled = bar->total > 0 ? (size_t)((double)width * (double)bar->done / (double)bar->total)
				: 0;
	for (size_t i = 0; i < width; i++)
		line[i] = i < filled ? '=' : i == filled ? '>' : ' ';
	/* Back to the line's beginning, and clear what was longer. */
	if (width > 0)
		fprintf(stderr, "\r[%s] %.*s\033[K", line, (int)(room - width - 4), text);
	else
		fprintf(stderr, "\r%.*s\033[K", (int)(room - 1), text);
	fflush(stderr);
	bar->drawn_s = now_s;
	bar->shown = true;
}

static void make_way(struct sink *sink)
{
	struct progress_bar *bar = (struct progress_bar *)sink;

	if (bar->shown)
		fputs("\r\033[K", stderr);
	fflush(stderr);
	bar->shown = false;
}

static void tick(struct sink *sink)
{
	struct progress_bar *bar = (struct progress_bar *)sink;
	const double now_s = verb_seconds();

	if (now_s - bar->drawn_s >= REDRAW_S)
		draw(bar, now_s);
}

static int progress_add(struct sink *sink, const struct ended *ended, struct ipp_error *err)
{
	struct progress_bar *bar = (struct progress_bar *)sink;

	(void)err;
	bar->done++;
	bar->earlier += ended->earlier;
	bar->failed += ended->result->outcome != IPP_OK;
	tick(sink);
	return 0;
}

static int progress_close(struct sink *sink, struct ipp_error *err)
{
	struct progress_bar *bar = (struct progress_bar *)sink;

	(void)err;
	if (bar->forced) {
		draw(bar, verb_seconds());
		putc('\n', stderr);
	} else {
		make_way(sink);
	}
	free(bar);
	return 0;
}

int progress_open(struct sink **out, uint64_t total, bool forced, struct ipp_error *err)
{
	struct progress_bar *bar = calloc(1, sizeof(*bar));

	if (!bar)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	*bar = (struct progress_bar){.sink = {.make_way = make_way,
					      .tick = tick,
					      .add = progress_add,
					      .close = progress_close},
				     .total = total,
				     .forced = forced,
				     .start_s = verb_seconds()};
	bar->drawn_s = bar->start_s + (forced ? 0 : QUIET_S);
	if (forced)
		draw(bar, bar->start_s);
	*out = &bar->sink;
	return 0;
}
