#include "launcher/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launcher/card.h"
#include "launcher/clock.h"
#include "launcher/command.h"
#include "launcher/environment.h"
#include "launcher/program.h"
#include "launcher/report.h"
#include "launcher/settings.h"
#include "launcher/sockets.h"
#include "launcher/start.h"
#include "launcher/wireup.h"
#include "proto/error.h"

/* The controller names who is missing at its own deadline: let it speak first. */
#define CONTROLLER_FIRST_MS 5000
#define CONTROLLER_LEAST_MS 1000

struct step {
	const struct settings *settings;
	unsigned n_engines;
	struct card card;  /* ours */
	struct card first; /* rank 0's */
	char *identity_pem;
	char command[PATH_MAX];
	struct sockets sockets;	       /* rank 0 */
	char *addresses[ADDRESS_MOST]; /* of rank 0 */
	int owner_fd;		       /* rank 0: pidfd of the client-to-be, or of the script */
	int report_fd;		       /* rank 0 of a helper step */
};

static bool is_first(const struct step *step)
{
	return step->settings->rank == 0;
}

/* Say it where the user sees it, once.  Returns the exit code for it. */
static int say(const struct step *step, const char *text, int exit_code)
{
	if (step->report_fd >= 0) {
		report_error(step->report_fd, text);
		return 0;
	}
	if (is_first(step))
		fprintf(stderr, "ipp: %s\n", text);
	else
		fprintf(stderr, "ipp: rank %u on %s: %s\n", step->settings->rank,
			step->settings->host, text);
	return exit_code;
}

/* ---- before the wire-up: everything that may fail ----------------------------------------- */

static int make_identity(struct step *step, struct ipp_error *err)
{
	struct identity *identity;
	struct fingerprint fingerprint;
	const int rc = identity_new(&identity, err);

	if (rc < 0)
		return rc;
	fingerprint = identity_fingerprint(identity);
	fingerprint_text(&fingerprint, step->card.fingerprint);
	step->identity_pem = identity_pem(identity);
	identity_free(identity);
	if (!step->identity_pem)
		return ipp_fail(err, ENOMEM, "cannot make a certificate: %m");
	return 0;
}

static int find_owner(struct step *step, struct ipp_error *err)
{
	if (step->settings->mode == LAUNCH_HELPER) {
		step->report_fd = report_connect(step->settings->report, &step->owner_fd, err);
		return step->report_fd < 0 ? step->report_fd : 0;
	}
	step->owner_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (step->owner_fd < 0)
		return ipp_fail(
			err, errno,
			"cannot watch this process: pidfd_open: %m; Linux 5.3 or later is needed");
	return 0;
}

/* Open what the controller will listen on, and say so on our card. */
static int open_sockets(struct step *step, struct ipp_error *err)
{
	const struct settings *settings = step->settings;
	const struct sockets *sockets = &step->sockets;
	const int rc = sockets_open(&step->sockets, settings->unix_name, settings->job,
				    settings->host, settings->interface, settings->ports, err);

	if (rc < 0)
		return rc;
	step->card.unix_name = strdup(sockets->unix_name);
	memcpy(step->card.addresses, sockets->addresses, sizeof(sockets->addresses));
	step->card.n_addresses = sockets->n_addresses;
	return 0;
}

static int prepare(struct step *step, struct ipp_error *err)
{
	char path[PATH_MAX];
	int rc = program_path(path, "ipp-guard", err);

	if (rc == 0)
		rc = make_identity(step, err);
	if (rc < 0 || !is_first(step))
		return rc;
	if (step->settings->command) {
		rc = command_find(step->command, step->settings->command, err);
		if (rc < 0) {
			step->card.exit_code = command_exit_code(rc);
			return rc;
		}
	}
	rc = program_path(path, "ipp-controller", err);
	return rc < 0 ? rc : open_sockets(step, err);
}

/* ---- after it ------------------------------------------------------------------------------ */

/* What guards need to find the controller; borrows from `step`. */
static struct connection connection_of(struct step *step)
{
	struct connection connection = {
		.job = (char *)step->settings->job,
		.host = step->first.host,
		.unix_name = step->first.unix_name,
		.addresses = step->addresses,
		.n_addresses = step->first.n_addresses,
		.identity_pem = step->identity_pem,
	};

	for (size_t i = 0; i < step->first.n_addresses; i++)
		step->addresses[i] = step->first.addresses[i];
	/* A fingerprint that cannot be read is one that no controller has: engines refuse it. */
	(void)fingerprint_parse(&connection.fingerprint, step->first.fingerprint);
	return connection;
}

static int start_with(const struct step *step, const struct connection *connection,
		      const struct start_rank *ranks, int ready_fd, struct ipp_error *err)
{
	const int left_ms = clock_left_ms(step->settings->deadline_ms);
	const struct start_controller start = {
		.connection = connection,
		.n_engines = step->n_engines,
		.timeout_ms = (unsigned)(left_ms > CONTROLLER_LEAST_MS ? left_ms
								       : CONTROLLER_LEAST_MS),
		.unix_fd = step->sockets.unix_fd,
		.tcp_fds = step->sockets.tcp_fds,
		.n_tcp_fds = step->sockets.n_tcp_fds,
		.ranks = ranks,
		.n_ranks = step->settings->n_tasks,
		.owner_fd = step->owner_fd,
		.ready_fd = ready_fd,
	};
	const int pidfd = controller_start(&start, err);

	if (pidfd < 0)
		return pidfd;
	close(pidfd);
	return 0;
}

static int start_controller(const struct step *step, const struct connection *connection,
			    char *const texts[], int ready_fd, struct ipp_error *err)
{
	const unsigned n = step->settings->n_tasks;
	struct card *cards = calloc(n, sizeof(*cards));
	struct start_rank *ranks = calloc(n, sizeof(*ranks));
	int rc = 0;

	if (!cards || !ranks) {
		rc = ipp_fail(err, ENOMEM, "cannot start the controller: %m");
		goto out;
	}
	for (unsigned rank = 0; rank < n && rc == 0; rank++) {
		rc = card_parse(&cards[rank], texts[rank], rank, err);
		ranks[rank] = (struct start_rank){cards[rank].host, cards[rank].fingerprint};
	}
	if (rc == 0)
		rc = start_with(step, connection, ranks, ready_fd, err);
out:
	for (unsigned rank = 0; cards && rank < n; rank++)
		card_fini(&cards[rank]);
	free(cards);
	free(ranks);
	return rc;
}

static int become_client(struct step *step, const struct connection *connection,
			 char *const cards[], struct ipp_error *err)
{
	char connect[CONNECTION_NAME_BYTES + sizeof("unix:@")];
	int ready[2];
	int rc;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return ipp_fail(err, errno, "cannot start the controller: %m");
	rc = start_controller(step, connection, cards, ready[1], err);
	close(ready[1]);
	if (rc == 0)
		rc = guard_start(connection, 0, GUARD_ENGINE, step->owner_fd, err);
	if (rc == 0)
		rc = controller_wait(ready[0],
				     (unsigned)clock_left_ms(step->settings->deadline_ms) +
					     CONTROLLER_LEAST_MS + CONTROLLER_FIRST_MS,
				     err);
	close(ready[0]);
	if (rc < 0)
		return rc;
	snprintf(connect, sizeof(connect), "unix:@%s", connection->unix_name);
	setenv("IPP_CONNECT", connect, 1);
	/* As Slurm would have done it: argv[0] is the path that was found. */
	step->settings->argv[0] = step->command;
	rc = command_become(step->command, step->settings->argv, environ, err);
	step->card.exit_code = command_exit_code(rc);
	return rc;
}

static int become(struct step *step, char *const cards[], struct ipp_error *err)
{
	const struct settings *settings = step->settings;
	const struct connection connection = connection_of(step);
	const enum guard_kind kind = settings->rank < step->n_engines ? GUARD_ENGINE
								      : GUARD_STANDBY;
	int rc;

	environment_scrub(environment_not_for_tasks);
	if (!is_first(step))
		return guard_become(&connection, settings->rank, kind, -1, environ, err);
	if (settings->mode == LAUNCH_STEP)
		return become_client(step, &connection, cards, err);
	rc = start_controller(step, &connection, cards, step->report_fd, err);
	return rc < 0 ? rc : guard_become(&connection, 0, kind, step->owner_fd, environ, err);
}

/* ---- the whole of it ------------------------------------------------------------------------ */

static int too_many_engines(const struct step *step)
{
	char text[256];

	if (!is_first(step))
		return 0;
	snprintf(text, sizeof(text),
		 "--ipp-engines=%u asks for more engines than there are tasks (%u); give -n %u, or "
		 "--ipp-engines without a number",
		 step->n_engines, step->settings->n_tasks, step->n_engines);
	return say(step, text, EXIT_OURS);
}

/* Our card (gives), in which rank 0 tells all others if it cannot go on.  Others cannot: they end
 * the step. */
static char *make_card(struct step *step)
{
	struct ipp_error err = {0};
	char *text;

	step->card.exit_code = EXIT_OURS;
	step->card.host = strdup(step->settings->host);
	if (prepare(step, &err) < 0) {
		if (!is_first(step)) {
			say(step, err.text, 0);
			wireup_abort();
		}
		step->card.error = strdup(err.text);
	}
	text = card_text(&step->card);
	if (!text) {
		say(step, "out of memory", 0);
		wireup_abort();
	}
	return text;
}

static int wire_up(struct step *step, struct wireup *wireup)
{
	struct ipp_error err = {0};
	const int rc = wireup_run(wireup, &err);

	if (rc == 0)
		return 0;
	if (rc == -ENOTCONN)
		return is_first(step) ? say(step, err.text, EXIT_OURS) : 0;
	/* Other errors than these come from the end of the step, which has its reason elsewhere. */
	if (is_first(step) || rc == -ETIMEDOUT)
		say(step, err.text, 0);
	wireup_abort();
}

static int step_proceed(struct step *step)
{
	const struct settings *settings = step->settings;
	struct wireup wireup = {.rank = settings->rank,
				.n_tasks = settings->n_tasks,
				.deadline_ms = settings->deadline_ms};
	struct ipp_error err = {0};
	char *card;
	int rc;

	if (step->n_engines > settings->n_tasks)
		return too_many_engines(step);
	wireup.card = card = make_card(step);
	rc = wire_up(step, &wireup);
	free(card);
	if (!wireup.cards || !wireup.cards[0])
		return rc;
	if (card_parse(&step->first, wireup.cards[0], 0, &err) < 0)
		return say(step, err.text, EXIT_OURS);
	if (step->first.error)
		return is_first(step) ? say(step, step->first.error, step->first.exit_code) : 0;
	become(step, wireup.cards, &err);
	wireup_fini(&wireup);
	return say(step, err.text, step->card.exit_code);
}

int step_run(const struct settings *settings)
{
	struct step step = {
		.settings = settings,
		.n_engines = settings->n_engines ? settings->n_engines : settings->n_tasks,
		.owner_fd = -1,
		.report_fd = -1,
	};
	struct ipp_error err = {0};

	program_hand_on(settings->life_fd);
	if (is_first(&step) && find_owner(&step, &err) < 0) {
		say(&step, err.text, 0);
		wireup_abort();
	}
	return step_proceed(&step);
}
