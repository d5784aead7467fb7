#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/decimal.h"
#include "client/lines.h"
#include "client/verb.h"

#define INTERVAL_MIN_S 0.1
#define INTERVAL_MAX_S 3600

/* What an engine had done when it was looked at last. */
struct seen {
	uint32_t rank;
	uint64_t busy_us, up_us;
};

struct top {
	struct ipp_client *client;
	const struct ipp_status *status;
	const struct ipp_request_info *requests;
	size_t n_requests;
	struct seen *seen;
	size_t n_seen;
	int row; /* the next that is free */
};

/* ---- signals: the terminal is put right before they do what they do ---- */

static volatile sig_atomic_t caught;
static struct ipp_client *interruptible;

static void catch (int number)
{
	caught = number;
	ipp_interrupt(interruptible);
}

/* After initscr(), which has handlers of its own. */
static void catch_signals(struct ipp_client *client)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = catch};

	interruptible = client;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

/* ---- what is on the screen ---- */

/* A line, as much of it as there is room for. */
static void put(struct top *top, int attributes, const char *text)
{
	if (top->row >= LINES - 1)
		return;
	attrset(attributes);
	if (attributes & A_REVERSE)
		mvhline(top->row, 0, ' ' | (chtype)attributes, COLS);
	mvaddnstr(top->row, 0, text, COLS);
	attrset(A_NORMAL);
	top->row++;
}

static size_t count_state(const struct ipp_status *status, const char *state)
{
	size_t n = 0;

	for (size_t i = 0; i < status->n_engines; i++)
		n += strcmp(status->engines[i].state, state) == 0;
	return n;
}

static void put_title(struct top *top)
{
	static const char *const states[] = {"busy", "idle", "silent", "lost"};
	const struct ipp_status *status = top->status;
	const time_t now = time(NULL);
	char line[LINE_BYTES], clock[16] = "";
	struct tm parts;
	int at;

	if (localtime_r(&now, &parts))
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	at = snprintf(line, sizeof(line), "ipp-run top  %s  %zu engines:", clock,
		      status->n_engines);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		const size_t n = count_state(status, states[i]);

		if (n > 0)
			at += snprintf(line + at, sizeof(line) - (size_t)at, " %zu %s", n,
				       states[i]);
	}
	snprintf(line + at, sizeof(line) - (size_t)at, "  %llu clients  %llu tasks wait",
		 (unsigned long long)status->clients, (unsigned long long)status->pending);
	put(top, A_BOLD, line);
}

/* The share of the time since it was looked at last, or since it registered. */
static double busy_lately(const struct top *top, const struct ipp_engine_status *engine)
{
	for (size_t i = 0; i < top->n_seen; i++) {
		const struct seen *seen = &top->seen[i];

		if (seen->rank == engine->rank && seen->up_us < engine->up_us &&
		    seen->busy_us <= engine->busy_us && engine->busy_us > 0)
			return (double)(engine->busy_us - seen->busy_us) /
			       (double)(engine->up_us - seen->up_us);
	}
	return line_busy(engine);
}

/* Half of the screen, if requests want the rest. */
static void put_engines(struct top *top)
{
	const struct ipp_status *status = top->status;
	const int host_width = line_host_width(status);
	const size_t room = top->n_requests > 0 ? (size_t)LINES / 2 : (size_t)LINES;
	char line[LINE_BYTES];

	line_of_engines(line, host_width);
	put(top, A_REVERSE, line);
	for (size_t i = 0; i < status->n_engines; i++) {
		if (i + 4 > room && i + 1 < status->n_engines) {
			snprintf(line, sizeof(line), "%6s  %zu more", "", status->n_engines - i);
			put(top, A_NORMAL, line);
			return;
		}
		line_of_engine(line, host_width, &status->engines[i],
			       busy_lately(top, &status->engines[i]));
		put(top, A_NORMAL, line);
	}
}

/* What runs and waits, in order; then what has ended, the latest first. */
static void put_requests(struct top *top)
{
	struct timespec now;
	char line[LINE_BYTES];
	size_t n_live = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	put(top, A_NORMAL, "");
	line_of_queue(line);
	put(top, A_REVERSE, line);
	for (size_t i = 0; i < top->n_requests; i++) {
		if (top->requests[i].ended_us > 0)
			continue;
		line_of_queued(line, &top->requests[i],
			       now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000);
		put(top, A_NORMAL, line);
		n_live++;
	}
	if (n_live == top->n_requests)
		return;
	put(top, A_NORMAL, "");
	line_of_history(line);
	put(top, A_REVERSE, line);
	for (size_t i = top->n_requests; i-- > 0;) {
		if (top->requests[i].ended_us == 0)
			continue;
		line_of_ended(line, &top->requests[i]);
		put(top, A_NORMAL, line);
	}
}

static void draw(struct top *top)
{
	top->row = 0;
	erase();
	put_title(top);
	put_engines(top);
	put_requests(top);
	mvaddnstr(LINES - 1, 0, "q quits", COLS);
	refresh();
}

/* ---- the loop ---- */

static int remember(struct top *top, struct ipp_error *err)
{
	struct seen *seen = calloc(top->status->n_engines + 1, sizeof(*seen));

	if (!seen)
		return ipp_fail(err, ENOMEM, "ipp-run top: out of memory");
	for (size_t i = 0; i < top->status->n_engines; i++)
		seen[i] = (struct seen){top->status->engines[i].rank,
					top->status->engines[i].busy_us,
					top->status->engines[i].up_us};
	free(top->seen);
	top->seen = seen;
	top->n_seen = top->status->n_engines;
	return 0;
}

static int look(struct top *top, struct ipp_error *err)
{
	int rc = ipp_status(top->client, &top->status, err);

	if (rc == 0)
		rc = ipp_requests(top->client, &top->requests, &top->n_requests, err);
	if (rc < 0)
		return rc;
	draw(top);
	return remember(top, err);
}

/* Nobody is at the terminal any more, and nobody told us by a signal. */
static bool is_gone(void)
{
	struct pollfd on = {.fd = STDIN_FILENO};

	return poll(&on, 1, 0) > 0; /* it hung up */
}

/* Until the interval is over; false when the user has seen enough. */
static bool wait_for_key(struct top *top, double interval_s)
{
	const double until = verb_seconds() + interval_s;
	double left_s;

	while (!caught && (left_s = until - verb_seconds()) > 0) {
		int key;

		timeout((int)(left_s * 1000) + 1);
		key = getch();
		if (key == 'q' || key == 'Q' || (key == ERR && is_gone()))
			return false;
		if (key == KEY_RESIZE)
			draw(top);
	}
	return !caught;
}

static int watch(struct top *top, double interval_s, struct ipp_error *err)
{
	FILE *terminal = fdopen(STDOUT_FILENO, "w"); /* stays open, as the descriptor does */
	SCREEN *screen;
	int rc;

	setlocale(LC_CTYPE, "");
	screen = terminal ? newterm(NULL, terminal, stdin) : NULL;
	if (!screen)
		return ipp_fail(err, EINVAL,
				"ipp-run top: this terminal is unknown: set TERM; or use ipp-run "
				"status, which prints once");
	catch_signals(top->client);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	do
		rc = look(top, err);
	while (rc == 0 && wait_for_key(top, interval_s));
	endwin();
	delscreen(screen);
	if (caught) {
		signal(caught, SIG_DFL);
		raise(caught);
	}
	return rc;
}

static int parse_interval(const char *text, double *out, struct ipp_error *err)
{
	if (decimal_parse(text, text + strlen(text), out) == 0 && *out >= INTERVAL_MIN_S &&
	    *out <= INTERVAL_MAX_S)
		return 0;
	return ipp_fail(err, EINVAL, "ipp-run top: --interval %.60s: give seconds from %g to %d",
			text, INTERVAL_MIN_S, INTERVAL_MAX_S);
}

static int top(int argc, char **argv)
{
	static const struct option options[] = {{"interval", required_argument, NULL, 'i'}, {0}};
	const struct ipp_connect nowhere = {.local_engines = 0};
	double interval_s = 1;
	struct ipp_error err;
	struct top top = {0};
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		rc = c == 'i' ? parse_interval(optarg, &interval_s, &err)
			      : verb_unknown_option("top", argc, argv, options, &err);
	}
	if (rc == 0 && optind < argc)
		return verb_misuse(&verb_top, "what is '%s'? it takes no words", argv[optind]);
	if (rc == 0 && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		rc = ipp_fail(&err, ENOTTY,
			      "ipp-run top: it needs a terminal; ipp-run status and ipp-run queue "
			      "print once");
	if (rc == 0)
		rc = ipp_connect(&top.client, &nowhere, &err);
	if (rc == 0)
		rc = watch(&top, interval_s, &err);
	verb_disconnect(top.client);
	free(top.seen);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_top = {
	.name = "top",
	.summary = "status, queue and history, on the whole screen and live",
	.usage = "usage: ipp-run top [--interval SECONDS]\n"
		 "Engines and requests on the whole screen, looked at anew every second, or as "
		 "--interval says.\n"
		 "BUSY is the share of that time in tasks.  q quits.\n",
	.run = top,
};
