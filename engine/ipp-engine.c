/* ipp-engine - one engine of a cluster; started by ipp-guard, or by hand (srun ipp-engine). */
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/exits.h"
#include "engine/orphans.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/standard_fds.h"
#include "proto/unix_socket.h"

#define TIMEOUT_S 60
#define ANSWER_S 2
#define LOOK_AGAIN_MS 20 /* for a connection file that is not there yet */

static const char usage[] = "usage: ipp-engine [--timeout SECONDS]\n"
			    "Start an engine by hand: it waits for the file that ipp-controller "
			    "writes to ~/.slurm-ipp for this\n"
			    "job, and joins.  Under Slurm: srun ipp-engine\n";

struct options {
	int connection_fd, rank;
	bool standby, guarded, again;
	double timeout_s;
};

static int parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"connection-fd", required_argument, NULL, 'c'},
		{"rank", required_argument, NULL, 'r'},
		{"standby", no_argument, NULL, 's'},
		{"guarded", no_argument, NULL, 'g'},
		{"again", no_argument, NULL, 'a'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->connection_fd = atoi(optarg);
			break;
		case 'r':
			options->rank = atoi(optarg);
			break;
		case 's':
			options->standby = true;
			break;
		case 'g':
			options->guarded = true;
			break;
		case 'a':
			options->again = true;
			break;
		case 't':
			options->timeout_s = strtod(optarg, &end);
			if (*end == '\0' && options->timeout_s > 0 && options->timeout_s < 1e6)
				break;
			fprintf(stderr, "ipp-engine: --timeout %s: give a number of seconds\n",
				optarg);
			return -EINVAL;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			puts("ipp-engine (slurm-ipp) " IPP_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "ipp-engine: what is '%s'?  It takes options alone\n%s", argv[optind],
		usage);
	return -EINVAL;
}

/* By hand: become a guard, which starts this program again. */
static int become_guard(char **argv)
{
	char path[4096];
	char **guarded = NULL;
	size_t n = 0;
	const ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - sizeof("ipp-guard"));

	while (argv[n])
		n++;
	guarded = calloc(n + 2, sizeof(*guarded));
	if (bytes > 0 && guarded) {
		path[bytes] = '\0';
		strcpy(strrchr(path, '/') + 1, "ipp-guard");
		memcpy(guarded, argv, n * sizeof(*guarded));
		guarded[n] = (char *)"--guarded";
		execv(path, guarded);
	}
	fprintf(stderr, "ipp-engine: cannot start %s: %s\n", bytes > 0 ? path : "its guard",
		strerror(errno));
	free(guarded);
	return EXIT_ENGINE_OURS;
}

/* Whether somebody listens at `address`, within ANSWER_S. */
static bool address_answers(const char *address)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct sockaddr_storage to;
	int to_bytes = sizeof(to);
	bool answers = false;
	int fd;

	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&to, &to_bytes) < 0)
		return false;
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0)
		answers = connect(fd, (struct sockaddr *)&to, (socklen_t)to_bytes) == 0;
	close(fd);
	return answers;
}

/* A file may be left of a controller that was killed. */
static bool somebody_answers(const struct connection *connection)
{
	const int fd = unix_connect(connection->unix_name, NULL);

	if (fd >= 0) {
		close(fd);
		return true;
	}
	for (size_t i = 0; i < connection->n_addresses; i++)
		if (address_answers(connection->addresses[i]))
			return true;
	return false;
}

/* 0 once a file names a controller that answers; -ENOENT when there is none yet. */
static int look_for_connection(struct connection *out, const char *path, struct ipp_error *err)
{
	int rc = connection_from_file(out, path, err);

	if (rc == 0 && !somebody_answers(out)) {
		connection_fini(out);
		rc = -ENOENT;
	}
	return rc;
}

/* The connection file of this job, which may come later than we do. */
static int await_connection(struct connection *out, double timeout_s, struct ipp_error *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	char *path = connection_path(job ? job : "local");
	const struct timespec nap = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
	const time_t until = time(NULL) + (time_t)timeout_s + 1;
	int rc;

	if (!path)
		return ipp_fail(err, ENOENT,
				"ipp-engine: HOME is not set, so there is no place to find the "
				"controller's connection file");
	while ((rc = look_for_connection(out, path, err)) == -ENOENT && time(NULL) <= until)
		nanosleep(&nap, NULL);
	if (rc == -ENOENT)
		ipp_fail(err, ENOENT,
			 "ipp-engine: no controller that answers wrote %s within %g s; start "
			 "ipp-controller in the same job",
			 path, timeout_s);
	free(path);
	return rc;
}

int main(int argc, char **argv)
{
	struct options options = {.connection_fd = -1, .rank = -1, .timeout_s = TIMEOUT_S};
	const char *procid = getenv("SLURM_PROCID");
	struct connection connection = {0};
	struct engine_options engine;
	struct event_base *base;
	struct ipp_error err;
	int rc;

	standard_fds_fill();
	if (parse(&options, argc, argv) < 0)
		return EXIT_ENGINE_OURS;
	if (options.connection_fd < 0 && !options.guarded)
		return become_guard(argv);
	if (options.connection_fd >= 0) {
		rc = connection_from_fd(&connection, options.connection_fd, "its connection", &err);
		close(options.connection_fd); /* there is a key in it: not for user code */
	} else {
		options.rank = procid ? atoi(procid) : -1;
		rc = await_connection(&connection, options.timeout_s, &err);
	}
	if (rc < 0) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_ENGINE_OURS;
	}
	orphans_adopt();
	base = event_base_new();
	if (!base) {
		fputs("ipp-engine: out of memory\n", stderr);
		return EXIT_ENGINE_OURS;
	}
	engine = (struct engine_options){.connection = &connection,
					 .rank = options.rank,
					 .standby = options.standby,
					 .again = options.again,
					 .timeout_ms = (int)(options.timeout_s * 1000)};
	rc = engine_run(base, &engine);
	event_base_free(base);
	connection_fini(&connection);
	kill(getppid(), SIGCONT); /* a guard that was stopped must see our end */
	return rc;
}
