#include "controller/curfew.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/answer.h"
#include "controller/engine.h"
#include "controller/request.h"
#include "controller/setup.h"
#include "launcher/program.h"
#include "proto/error.h"

#define SAVE_S 5	  /* for results to reach their client's disk, and a script to go on */
#define FIRST_ASK_S 1	  /* most clusters of tests and trials are gone by then */
#define ASK_MIN_S 5	  /* between questions */
#define ASK_ANEW_MAX_S 60 /* likewise, where the last was not answered */
#define FRESH_S 2	  /* an answer that a map may be ended for */
#define KILL_WAIT_S 30	  /* Slurm's default */
#define NEVER INT64_MAX
#define SECOND_US INT64_C(1000000)

struct curfew {
	struct cluster *cluster;
	bool in_job;
	struct event *ask, *answer, *over; /* timers, and the descriptor of an answer */
	int answer_fd;			   /* -1: nobody is being asked */
	char text[64];			   /* of it, so far */
	size_t bytes;
	int64_t told_us;   /* when the last answer came; CLOCK_MONOTONIC, as all here */
	int64_t end_us;	   /* the job's; NEVER: not known */
	int64_t killed_us; /* SIGTERM came; 0: it did not */
	unsigned kill_wait_s;
	unsigned n_unanswered; /* questions, since the last answer */
	const char *fallen;    /* the signal that said so; NULL: none did */
	double left_us;	       /* as curfew_look() saw it; negative: nothing may begin */
	bool curbed;	       /* something was kept from beginning */
	bool drains;	       /* a request may be told to begin nothing more */
	bool ends;	       /* the cluster does, once nothing runs */
};

/* ---- when ---- */

/* When what runs is given up. */
static int64_t until(const struct curfew *curfew)
{
	const int64_t save_us = SAVE_S * SECOND_US, wait_us = curfew->kill_wait_s * SECOND_US;
	const int64_t end_us = curfew->end_us == NEVER ? NEVER : curfew->end_us - save_us;
	const int64_t kill_us = curfew->killed_us + wait_us -
				(wait_us / 2 < save_us ? wait_us / 2 : save_us);

	if (curfew->killed_us == 0)
		return end_us;
	/* The job may go on, as where the signal came with a notice of preemption. */
	return end_us != NEVER && end_us > kill_us ? end_us : kill_us;
}

static void set_timer(struct event *timer, int64_t at_us)
{
	const int64_t now_us = engine_now_us(), left_us = at_us > now_us ? at_us - now_us : 0;
	const struct timeval left = {left_us / SECOND_US, left_us % SECOND_US};

	evtimer_add(timer, &left);
}

/* Twice as long each time: slurmctld may be down for long, and have many to answer then. */
static int64_t ask_anew_s(const struct curfew *curfew)
{
	return curfew->n_unanswered <= 6 ? 1 << (curfew->n_unanswered - 1) : ASK_ANEW_MAX_S;
}

/* Ask again after half of what is left; so a change is learnt of in time, at little cost. */
static void wait_for_end(struct curfew *curfew)
{
	const int64_t now_us = engine_now_us(), until_us = until(curfew);

	if (curfew->n_unanswered > 0)
		set_timer(curfew->ask, now_us + ask_anew_s(curfew) * SECOND_US);
	else if (until_us == NEVER || until_us <= now_us)
		event_del(curfew->ask);
	else
		set_timer(curfew->ask, (until_us - now_us) / 2 > ASK_MIN_S * SECOND_US
					       ? now_us + (until_us - now_us) / 2
					       : now_us + ASK_MIN_S * SECOND_US);
	if (until_us == NEVER)
		event_del(curfew->over);
	else
		set_timer(curfew->over, until_us);
	cluster_wake(curfew->cluster);
}

/* ---- what Slurm says ---- */

static void take_answer(struct curfew *curfew)
{
	const int64_t now_s = time(NULL);
	long long end_s;
	unsigned wait_s;

	curfew->text[curfew->bytes] = '\0';
	event_del(curfew->answer);
	close(curfew->answer_fd);
	curfew->answer_fd = -1;
	if (sscanf(curfew->text, "%lld %u", &end_s, &wait_s) == 2 && end_s > 0 &&
	    end_s < now_s + INT32_MAX) {
		curfew->end_us = engine_now_us() + (end_s - now_s) * SECOND_US;
		curfew->kill_wait_s = wait_s;
		curfew->n_unanswered = 0;
		curfew->told_us = engine_now_us();
	} else {
		curfew->n_unanswered++;
	}
	wait_for_end(curfew);
}

static void answer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct curfew *curfew = arg;
	const ssize_t n = read(fd, curfew->text + curfew->bytes,
			       sizeof(curfew->text) - 1 - curfew->bytes);

	(void)what;
	if (n > 0)
		curfew->bytes += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		take_answer(curfew);
}

/* By ipp-launch, which alone knows Slurm's library.  Where there is none, nothing is known. */
static void start_asking(const struct curfew *curfew, int answer)
{
	char path[PATH_MAX], fd_text[16];
	char *argv[] = {path, (char *)"--job-end", curfew->cluster->setup->job, fd_text, NULL};
	int pidfd = program_path(path, "ipp-launch", NULL);

	snprintf(fd_text, sizeof(fd_text), "%d", answer);
	if (pidfd == 0)
		pidfd = program_start(argv, NULL, &answer, 1, NULL);
	if (pidfd >= 0)
		close(pidfd); /* it ends by itself, within seconds */
}

static void ask(struct curfew *curfew)
{
	int ends[2];

	if (!curfew->in_job || curfew->answer_fd >= 0)
		return;
	curfew->bytes = 0;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		curfew->n_unanswered++;
		wait_for_end(curfew);
		return;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	curfew->answer_fd = ends[0];
	event_assign(curfew->answer, curfew->cluster->base, ends[0], EV_READ | EV_PERSIST,
		     answer_cb, curfew);
	event_add(curfew->answer, NULL);
	start_asking(curfew, ends[1]);
	close(ends[1]); /* where nobody was started, this is the answer */
}

static void ask_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask(arg);
}

/* ---- what may begin ---- */

/* A task of a map of which none has ended is given a chance. */
bool curfew_allows(const struct curfew *curfew, const struct request *request)
{
	return !request->drains && curfew->left_us >= request->long_us;
}

void curfew_look(struct curfew *curfew)
{
	const int64_t until_us = until(curfew);
	const struct line *line = &curfew->cluster->line;

	curfew->curbed = false;
	if (curfew->drains) {
		const struct request *request = curfew->cluster->requests;

		while (request && !request->drains)
			request = request->next;
		curfew->drains = curfew->curbed = request != NULL;
	}
	if (curfew->fallen)
		curfew->left_us = -1;
	else
		curfew->left_us = until_us == NEVER ? INFINITY
						    : (double)(until_us - engine_now_us());
	if (curfew->left_us == INFINITY)
		return;
	for (size_t i = 0; i < line->n; i++)
		curfew->curbed |= !curfew_allows(curfew, line->at[i]);
}

bool curfew_curbs(const struct curfew *curfew)
{
	return curfew->left_us < 0 || curfew->curbed;
}

uint64_t curfew_fit(const struct curfew *curfew, const struct request *request, double ahead_us,
		    uint64_t n)
{
	const double room_us = curfew->left_us - ahead_us;

	if (request->long_us <= 0 || (double)n * request->long_us <= room_us)
		return n;
	return room_us > 0 ? (uint64_t)(room_us / request->long_us) : 0;
}

/* ---- the end of maps ---- */

static void say_why(const struct curfew *curfew, const struct request *request, char *why,
		    size_t bytes)
{
	const double left_s = (double)(curfew->end_us - engine_now_us()) / 1e6;

	if (request->drains)
		snprintf(why, bytes, "it was told to begin nothing more");
	else if (curfew->fallen)
		snprintf(why, bytes, "the job was told to end by %s", curfew->fallen);
	else if (curfew->left_us >= 0)
		snprintf(why, bytes, "the job ends in %.0f s, and tasks take up to %.3g s", left_s,
			 request->long_us / 1e6);
	else
		snprintf(why, bytes, "the job ends in %.0f s", left_s > 0 ? left_s : 0);
}

static bool has_running(const struct request *request)
{
	const uint64_t n = request->total == UINT64_MAX ? request->n_received : request->total;

	return n > request->n_done + request->pending.n_tasks;
}

/* Whether the map has to end now.
 *   sure      what is known of the job's end still holds
 *   given_up  so has what runs */
static bool is_due(const struct curfew *curfew, const struct request *request, bool sure,
		   bool given_up)
{
	if (request->kind != REQUEST_MAP || (has_running(request) && !given_up))
		return false;
	return request->drains ||
	       (sure && (curfew->left_us < 0 || (request->pending.n_tasks > 0 && !request->waits &&
						 !curfew_allows(curfew, request))));
}

static struct request *find_due(const struct curfew *curfew, bool sure, bool given_up)
{
	struct request *request = curfew->cluster->requests;

	while (request && !is_due(curfew, request, sure, given_up))
		request = request->next;
	return request;
}

static void end_due(struct curfew *curfew, bool given_up)
{
	/* The job may have been given more time, or was suspended, since Slurm was asked. */
	const bool sure = curfew->fallen || curfew->end_us == NEVER ||
			  (curfew->answer_fd < 0 &&
			   engine_now_us() - curfew->told_us < FRESH_S * SECOND_US);
	struct request *request;
	char why[128];

	if (!sure && curfew->n_unanswered == 0) /* else that is asked again in time */
		ask(curfew);
	while ((request = find_due(curfew, sure, given_up && sure))) {
		say_why(curfew, request, why, sizeof(why));
		answer_ended(request, REQUEST_DRAINED, why); /* it may end others */
	}
}

static void end_cluster(struct curfew *curfew)
{
	cluster_end(curfew->cluster, "the controller was told to stop by SIGTERM");
}

void curfew_settle(struct curfew *curfew)
{
	if (curfew_curbs(curfew))
		end_due(curfew, false);
	if (curfew->ends && !curfew->cluster->requests)
		end_cluster(curfew);
}

static void over_cb(evutil_socket_t fd, short what, void *arg)
{
	struct curfew *curfew = arg;

	(void)fd;
	(void)what;
	curfew_look(curfew);
	if (curfew->left_us < 0)
		end_due(curfew, true);
	if (curfew->ends)
		end_cluster(curfew);
}

void curfew_drain(struct request *request)
{
	request->drains = true;
	request->cluster->curfew->drains = true;
	cluster_wake(request->cluster);
}

void curfew_fall(struct cluster *cluster, int signal)
{
	struct curfew *curfew = cluster->curfew;

	curfew->fallen = signal == SIGTERM ? "SIGTERM" : "SIGUSR1";
	if (signal == SIGTERM && curfew->killed_us == 0) {
		curfew->killed_us = engine_now_us();
		curfew->end_us = NEVER; /* it may be now, and will be said anew */
		ask(curfew);
	}
	wait_for_end(curfew);
}

void curfew_end(struct cluster *cluster)
{
	struct curfew *curfew = cluster->curfew;

	if (curfew->ends)
		end_cluster(curfew);
	curfew->ends = true;
	curfew_fall(cluster, SIGTERM);
}

/* ---- */

struct curfew *curfew_new(struct cluster *cluster)
{
	struct curfew *curfew = calloc(1, sizeof(*curfew));
	const char *job = cluster->setup->job;

	if (!curfew)
		return NULL;
	*curfew = (struct curfew){.cluster = cluster,
				  .in_job = job[strspn(job, "0123456789")] == '\0',
				  .answer_fd = -1,
				  .end_us = NEVER,
				  .kill_wait_s = KILL_WAIT_S,
				  .left_us = INFINITY};
	curfew->ask = evtimer_new(cluster->base, ask_cb, curfew);
	curfew->answer = event_new(cluster->base, -1, EV_READ, answer_cb, curfew);
	curfew->over = evtimer_new(cluster->base, over_cb, curfew);
	if (!curfew->ask || !curfew->answer || !curfew->over) {
		curfew_free(curfew);
		return NULL;
	}
	if (curfew->in_job)
		set_timer(curfew->ask, engine_now_us() + FIRST_ASK_S * SECOND_US);
	return curfew;
}

void curfew_free(struct curfew *curfew)
{
	if (!curfew)
		return;
	if (curfew->ask)
		event_free(curfew->ask);
	if (curfew->answer)
		event_free(curfew->answer);
	if (curfew->over)
		event_free(curfew->over);
	if (curfew->answer_fd >= 0)
		close(curfew->answer_fd);
	free(curfew);
}
