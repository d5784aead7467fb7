#include "client/lines.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/verb.h"

#define NUMBER_BYTES 16

/* ---- small things ---- */

/* As much of `text` as fits, each byte that a terminal might obey replaced.  Bytes of UTF-8 stay.
 */
static const char *clean(char *out, size_t bytes, const char *text)
{
	size_t n = 0;

	for (; text[n] && n + 1 < bytes; n++) {
		const unsigned char c = (unsigned char)text[n];

		out[n] = c < ' ' || c == 0x7f ? '?' : text[n];
	}
	out[n] = '\0';
	return out;
}

/* "512 B", "9.8 MB": never more than 7 columns. */
static const char *memory(char text[NUMBER_BYTES], uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	int unit = 0;

	while (value >= 999.5) {
		value /= 1000;
		unit++;
	}
	snprintf(text, NUMBER_BYTES, value < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
	return text;
}

/* "3.2s", "12m05s", "3h07m", "2d03h". */
static const char *duration(char text[NUMBER_BYTES], int64_t us)
{
	const long long s = us / 1000000;

	if (us < 0)
		snprintf(text, NUMBER_BYTES, "-");
	else if (s < 60)
		snprintf(text, NUMBER_BYTES, "%.1fs", (double)us / 1e6);
	else if (s < 3600)
		snprintf(text, NUMBER_BYTES, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, NUMBER_BYTES, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, NUMBER_BYTES, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	return text;
}

static const char *clock_time(char text[NUMBER_BYTES], int64_t us)
{
	const time_t s = (time_t)(us / 1000000);
	struct tm parts;

	if (!localtime_r(&s, &parts) || !strftime(text, NUMBER_BYTES, "%H:%M:%S", &parts))
		strcpy(text, "-");
	return text;
}

/* ---- engines ---- */

int line_host_width(const struct ipp_status *status)
{
	size_t width = strlen("HOST");

	for (size_t i = 0; i < status->n_engines; i++)
		if (strlen(status->engines[i].host) > width)
			width = strlen(status->engines[i].host);
	return width < LINE_HOST_MAX ? (int)width : LINE_HOST_MAX;
}

double line_busy(const struct ipp_engine_status *engine)
{
	return engine->up_us > 0 && strcmp(engine->state, "lost") != 0
		       ? (double)engine->busy_us / (double)engine->up_us
		       : -1;
}

void line_of_engines(char line[LINE_BYTES], int host_width)
{
	snprintf(line, LINE_BYTES, "%6s  %-*s  %5s  %-6s  %9s  %7s  %7s  %5s  %7s  %6s", "ENGINE",
		 host_width, "HOST", "RANK", "STATE", "DONE", "FAILED", "QUEUE", "BUSY", "MEMORY",
		 "LOSSES");
}

void line_of_engine(char line[LINE_BYTES], int host_width, const struct ipp_engine_status *engine,
		    double busy)
{
	char host[LINE_HOST_MAX + 1], bytes[NUMBER_BYTES] = "-", percent[NUMBER_BYTES] = "-";

	if (engine->memory_bytes > 0)
		memory(bytes, engine->memory_bytes);
	if (busy >= 0)
		snprintf(percent, sizeof(percent), "%.0f %%", busy < 1 ? 100 * busy : 100.0);
	snprintf(line, LINE_BYTES, "%6u  %-*s  %5u  %-6.6s  %9llu  %7llu  %7llu  %5s  %7s  %6llu",
		 engine->rank, host_width, clean(host, sizeof(host), engine->host), engine->rank,
		 engine->state, (unsigned long long)engine->done,
		 (unsigned long long)engine->failed, (unsigned long long)engine->queued, percent,
		 bytes, (unsigned long long)engine->losses);
}

/* ---- requests ---- */

static const char *view(const struct ipp_request_info *request)
{
	return request->map ? "balanced" : "direct";
}

void line_of_queue(char line[LINE_BYTES])
{
	snprintf(line, LINE_BYTES, "%-8s  %-9s  %-8s  %10s  %10s  %7s  %7s  %s", "ID", "STATE",
		 "VIEW", "TASKS", "DONE", "FAILED", "AGE", "WHAT");
}

void line_of_queued(char line[LINE_BYTES], const struct ipp_request_info *request, int64_t now_us)
{
	char id[VERB_ID_BYTES], age[NUMBER_BYTES], label[LINE_BYTES / 2];

	snprintf(line, LINE_BYTES, "%-8s  %-9.9s  %-8s  %10llu  %10llu  %7llu  %7s  %s",
		 verb_request_name(request->id, id), request->state, view(request),
		 (unsigned long long)request->tasks, (unsigned long long)request->done,
		 (unsigned long long)request->failed, duration(age, now_us - request->submitted_us),
		 clean(label, sizeof(label), request->label));
}

void line_of_history(char line[LINE_BYTES])
{
	snprintf(line, LINE_BYTES, "%-8s  %-9s  %-8s  %10s  %7s  %-9s  %7s  %7s  %-4s  %s", "ID",
		 "STATE", "VIEW", "DONE", "FAILED", "SUBMITTED", "WAITED", "TOOK", "KEPT", "WHAT");
}

void line_of_ended(char line[LINE_BYTES], const struct ipp_request_info *request)
{
	const int64_t begin_us = request->started_us ? request->started_us : request->ended_us;
	char id[VERB_ID_BYTES], submitted[NUMBER_BYTES], waited[NUMBER_BYTES], took[NUMBER_BYTES],
		label[LINE_BYTES / 2];

	snprintf(line, LINE_BYTES, "%-8s  %-9.9s  %-8s  %10llu  %7llu  %-9s  %7s  %7s  %-4s  %s",
		 verb_request_name(request->id, id), request->state, view(request),
		 (unsigned long long)request->done, (unsigned long long)request->failed,
		 clock_time(submitted, request->submitted_us),
		 duration(waited, begin_us - request->submitted_us),
		 duration(took, request->ended_us - begin_us), request->detached ? "yes" : "no",
		 clean(label, sizeof(label), request->label));
}
