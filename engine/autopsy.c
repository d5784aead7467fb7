/* Why a worker died: of the task that it was at, or of which it sent a result that is none? */
#include "engine/engine_impl.h"

#include <signal.h>
#include <stdio.h>

#include "engine/verdict.h"
#include "engine/worker_process.h"

static void judge_late(const struct engine *engine, struct verdict *verdict)
{
	const uint32_t limit_ms = time_limits_get(&engine->limits, verdict->request);

	verdict->outcome = IPP__OUTCOME__TIMED_OUT;
	verdict->code = SIGKILL;
	snprintf(verdict->text, sizeof(verdict->text),
		 "it ran longer than the %g s of --task-timeout and was killed with its worker",
		 (double)limit_ms / 1000);
}

static void judge_killed(struct verdict *verdict, const char *why)
{
	verdict->outcome = IPP__OUTCOME__KILLED;
	verdict->code = SIGKILL;
	snprintf(verdict->text, sizeof(verdict->text), "its worker %s, and was killed", why);
}

/* What the worker was at; or, where its word was spoilt, what that was about: a careful one says
 * what became of a task before it begins another. */
static struct progress task_at_death(const struct engine *engine)
{
	struct progress task = worker_progress(engine->worker);

	if (engine->spoilt && engine->queue.first) {
		task.request = engine->queue.first->request;
		task.index = engine->queue.first->from;
		task.running = 1;
	}
	return task;
}

bool autopsy(struct engine *engine, int status)
{
	const struct progress task = task_at_death(engine);
	const struct progress late = engine->late;
	const bool severed = worker_was_severed(engine->worker);
	struct verdict *verdict;

	engine->late.running = 0;
	/* It was killed for an earlier task, which ended in time after all; or for what was
	 * cancelled. */
	if (!task.running || !slices_find(&engine->queue, task.request, task.index) ||
	    work_is_doomed(engine, task.request) ||
	    ((severed || engine->spoilt) && !worker_is_careful(engine->worker)) ||
	    (late.running && (late.request != task.request || late.index != task.index)))
		return false;
	verdict = verdict_add(&engine->verdicts, &task, engine->worker);
	if (!verdict)
		return false;
	if (late.running && engine->stopped)
		judge_killed(verdict, "was stopped by a signal and did not go on");
	else if (late.running)
		judge_late(engine, verdict);
	else if (engine->spoilt)
		judge_killed(verdict, "sent a result that is none, as after a function that wrote "
				      "where it should not");
	else if (severed)
		judge_killed(verdict,
			     "lost the link to it, by closing it or becoming another program");
	else
		verdict_of_status(verdict, status);
	return true;
}
