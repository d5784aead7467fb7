#include "launcher/wireup.h"

#include <errno.h>
#include <poll.h>
#include <pmix.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "launcher/clock.h"
#include "launcher/command.h"
#include "proto/error.h"

#define CARD_KEY "ipp.card"
/* Rank 0 speaks for all: the others give it this much longer, to ask around and to end the step. */
#define RANK_0_FIRST_MS 5000
/* Where rank 0 is the one that is missing, the first of them to lose patience speaks. */
#define PATIENCE_MS 500
#define PATIENT_MOST 10
/* Cards that are there come at once, others as PMIX_ERR_TIMEOUT or not at all. */
#define ASK_S 2
#define ASK_MS 3000
/* Calls into PMIx that have no time-out of their own. */
#define WATCHDOG_S 20
/* slurmstepd's PMIx thread is deaf for half a minute after it was asked for a card on a node whose
 * slurmstepd has ended already (22.05: pmixp_p2p_send tries again and again). */
#define ABORT_S 3
#define NAMED_MOST 8
#define SEE_LOG "; see what slurmd of this node logged"
#define HOST_BYTES 64

/* What PMIx's thread tells us.  Static: a callback may come after we gave up waiting for it. */
static struct {
	int eventfd;
	_Atomic bool fence_done;
	_Atomic pmix_status_t fence_status;
	_Atomic bool *present; /* by rank */
	_Atomic unsigned n_answers;
} news = {.eventfd = -1};

static bool is_init;

static void post_news(void)
{
	if (eventfd_write(news.eventfd, 1) < 0)
		return; /* it counts to 2^64 before it can fail */
}

static void fence_cb(pmix_status_t status, void *unused)
{
	(void)unused;
	news.fence_status = status;
	news.fence_done = true;
	post_news();
}

static void card_cb(pmix_status_t status, pmix_value_t *value, void *present)
{
	(void)value;
	*(_Atomic bool *)present = status == PMIX_SUCCESS;
	news.n_answers++;
	post_news();
}

static void wait_news(long long deadline_ms)
{
	struct pollfd ready = {.fd = news.eventfd, .events = POLLIN};
	eventfd_t count;

	if (poll(&ready, 1, clock_left_ms(deadline_ms)) > 0)
		eventfd_read(news.eventfd, &count);
}

static void pmix_is_deaf(int sig)
{
	static const char text[] =
		"ipp: PMIx does not answer on this node; see slurmd's log there\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_OURS);
	_exit(EXIT_OURS);
}

static void abort_is_not_heard(int sig)
{
	(void)sig;
	_exit(EXIT_OURS);
}

static void watch(int seconds, void (*late)(int))
{
	const struct itimerval timer = {.it_value.tv_sec = seconds};

	signal(SIGALRM, late);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void unwatch(void)
{
	const struct itimerval never = {0};

	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_DFL);
}

static int begin(pmix_proc_t *self, struct ipp_error *err)
{
	pmix_status_t status;

	if (!getenv("PMIX_NAMESPACE") || (status = PMIx_Init(self, NULL, 0)) == PMIX_ERR_UNREACH)
		return ipp_fail(
			err, ENOTCONN,
			"this step has no PMIx, by which engines find their controller; leave "
			"--mpi out, or say --mpi=pmix");
	if (status != PMIX_SUCCESS)
		return ipp_fail(
			err, EIO,
			"PMIx_Init: %s; is the PMIx of this node that of its slurmd?  srun --mpi=list names it",
			PMIx_Error_string(status));
	is_init = true;
	return 0;
}

static int hand_out(const char *card, struct ipp_error *err)
{
	pmix_value_t value;
	pmix_status_t status;

	PMIX_VALUE_CONSTRUCT(&value);
	value.type = PMIX_STRING;
	value.data.string = (char *)card;
	status = PMIx_Put(PMIX_GLOBAL, CARD_KEY, &value);
	if (status == PMIX_SUCCESS)
		status = PMIx_Commit();
	if (status != PMIX_SUCCESS)
		return ipp_fail(err, EIO, "PMIx_Put: %s" SEE_LOG, PMIx_Error_string(status));
	return 0;
}

static void name_proc(pmix_proc_t *proc, const pmix_proc_t *self, pmix_rank_t rank)
{
	PMIX_LOAD_PROCID(proc, self->nspace, rank);
}

/* Where a rank runs, though it has said nothing: from what Slurm told PMIx. */
static void find_host(char host[HOST_BYTES], const pmix_proc_t *self, unsigned rank)
{
	pmix_proc_t proc;
	pmix_value_t *value = NULL;

	name_proc(&proc, self, rank);
	snprintf(host, HOST_BYTES, "an unknown node");
	if (PMIx_Get(&proc, PMIX_HOSTNAME, NULL, 0, &value) == PMIX_SUCCESS) {
		if (value->type == PMIX_STRING)
			snprintf(host, HOST_BYTES, "%s", value->data.string);
		PMIX_VALUE_RELEASE(value);
	}
}

/* Find out which of the ranks from `first` to below `end` have handed out their cards. */
static void ask(const pmix_proc_t *self, unsigned first, unsigned end)
{
	const long long deadline_ms = clock_ms() + ASK_MS;
	static int timeout_s = ASK_S;
	static pmix_info_t info;
	unsigned n_asked = 0;

	PMIX_INFO_LOAD(&info, PMIX_TIMEOUT, &timeout_s, PMIX_INT);
	for (unsigned rank = first; rank < end; rank++) {
		pmix_proc_t proc;

		name_proc(&proc, self, rank);
		if (PMIx_Get_nb(&proc, CARD_KEY, &info, 1, card_cb, (void *)&news.present[rank]) ==
		    PMIX_SUCCESS)
			n_asked++;
	}
	while (news.n_answers < n_asked && clock_left_ms(deadline_ms) > 0)
		wait_news(deadline_ms);
}

static int name_missing(const struct wireup *wireup, const pmix_proc_t *self, struct ipp_error *err)
{
	char names[NAMED_MOST * (HOST_BYTES + 16)] = "", host[HOST_BYTES];
	unsigned n_missing = 0, n_named = 0;

	ask(self, 0, wireup->n_tasks);
	for (unsigned rank = 0; rank < wireup->n_tasks; rank++) {
		char name[HOST_BYTES + 32];

		if (news.present[rank] || rank == wireup->rank)
			continue;
		n_missing++;
		if (n_named == NAMED_MOST)
			continue;
		find_host(host, self, rank);
		snprintf(name, sizeof(name), "%srank %u on %s", n_named ? ", " : "", rank, host);
		if (strlen(names) + strlen(name) < sizeof(names))
			strcat(names, name);
		n_named++;
	}
	if (n_missing > n_named)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " and %u more",
			 n_missing - n_named);
	if (n_missing == 0)
		return ipp_fail(err, ETIMEDOUT,
				"all %u ranks showed up, the last of them too late; give more time "
				"with --ipp-timeout",
				wireup->n_tasks);
	return ipp_fail(
		err, ETIMEDOUT,
		"only %u of %u ranks showed up in time; missing %s; see whether they started, "
		"or give more time with --ipp-timeout",
		wireup->n_tasks - n_missing, wireup->n_tasks, names);
}

static int meet(const struct wireup *wireup, const pmix_proc_t *self, struct ipp_error *err)
{
	const unsigned rank = wireup->rank;
	const unsigned patience = rank < PATIENT_MOST ? rank : PATIENT_MOST;
	const long long deadline_ms = wireup->deadline_ms +
				      (rank ? RANK_0_FIRST_MS + patience * PATIENCE_MS : 0);
	static bool collect = true;
	static pmix_info_t info;
	static pmix_proc_t everybody;
	pmix_status_t status;

	name_proc(&everybody, self, PMIX_RANK_WILDCARD);
	PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &collect, PMIX_BOOL);
	status = PMIx_Fence_nb(&everybody, 1, &info, 1, fence_cb, NULL);
	if (status != PMIX_SUCCESS)
		return ipp_fail(err, EIO, "PMIx_Fence: %s" SEE_LOG, PMIx_Error_string(status));
	while (!news.fence_done && clock_left_ms(deadline_ms) > 0)
		wait_news(deadline_ms);
	if (news.fence_done && news.fence_status == PMIX_SUCCESS)
		return 0;
	if (news.fence_done)
		return ipp_fail(err, EIO, "PMIx_Fence: %s" SEE_LOG,
				PMIx_Error_string(news.fence_status));
	if (rank == 0)
		return name_missing(wireup, self, err);
	ask(self, 0, 1);
	if (news.present[0])
		return ipp_fail(err, ECANCELED, "rank 0 has given up; what it says is the reason");
	return ipp_fail(err, ETIMEDOUT,
			"rank 0 did not show up in time; see whether it started, or "
			"give more time with --ipp-timeout");
}

static int collect_cards(struct wireup *wireup, const pmix_proc_t *self, struct ipp_error *err)
{
	const unsigned n = wireup->rank == 0 ? wireup->n_tasks : 1;

	for (unsigned rank = 0; rank < n; rank++) {
		pmix_value_t *value = NULL;
		pmix_proc_t proc;
		pmix_status_t status;

		name_proc(&proc, self, rank);
		status = PMIx_Get(&proc, CARD_KEY, NULL, 0, &value);
		if (status != PMIX_SUCCESS)
			return ipp_fail(err, EIO,
					"the card of rank %u was lost: PMIx_Get: %s" SEE_LOG, rank,
					PMIx_Error_string(status));
		if (value->type == PMIX_STRING)
			wireup->cards[rank] = strdup(value->data.string);
		PMIX_VALUE_RELEASE(value);
		if (!wireup->cards[rank])
			return ipp_fail(err, ENOMEM, "the card of rank %u: %m", rank);
	}
	return 0;
}

int wireup_run(struct wireup *wireup, struct ipp_error *err)
{
	pmix_proc_t self;
	int rc;

	wireup->cards = calloc(wireup->n_tasks + 1, sizeof(*wireup->cards));
	news.present = calloc(wireup->n_tasks + 1, sizeof(*news.present));
	news.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!wireup->cards || !news.present || news.eventfd < 0)
		return ipp_fail(err, errno, "cannot begin the wire-up: %m");
	watch(clock_left_ms(wireup->deadline_ms) / 1000 + WATCHDOG_S, pmix_is_deaf);
	rc = begin(&self, err);
	if (rc == 0)
		rc = hand_out(wireup->card, err);
	if (rc == 0)
		rc = meet(wireup, &self, err);
	if (rc == 0)
		rc = collect_cards(wireup, &self, err);
	if (rc == 0) {
		PMIx_Finalize(NULL, 0);
		is_init = false;
	}
	unwatch();
	return rc;
}

void wireup_fini(struct wireup *wireup)
{
	const unsigned n = wireup->rank == 0 ? wireup->n_tasks : 1;

	for (unsigned rank = 0; wireup->cards && rank < n; rank++)
		free(wireup->cards[rank]);
	free(wireup->cards);
	wireup->cards = NULL;
}

void wireup_abort(void)
{
	pmix_proc_t self;

	watch(ABORT_S, abort_is_not_heard);
	if (is_init || begin(&self, NULL) == 0)
		PMIx_Abort(EXIT_OURS, "ipp-launch gives up", NULL, 0);
	_exit(EXIT_OURS);
}
