/* ipp-controller - the process that knows all engines of one cluster and hands out their work. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controller/cluster.h"
#include "controller/curfew.h"
#include "controller/door.h"
#include "controller/heartbeat.h"
#include "controller/setup.h"
#include "proto/bystander.h"
#include "proto/descriptors.h"
#include "proto/error.h"
#include "proto/standard_fds.h"

#define EXIT_OURS 125
#define N_SIGNALS 3

static const char usage[] =
	"usage: ipp-controller [--engines N] [--interface NAME] [--ports LO-HI]\n"
	"Start a controller by hand; engines and clients of the same job find it by a file in "
	"~/.slurm-ipp.\n"
	"  --engines N       refuse more than N engines\n"
	"  --interface NAME  listen on the addresses of this network interface alone\n"
	"  --ports LO-HI     listen on a free port of this range\n";

struct options {
	int setup_fd;
	unsigned n_engines;
	const char *interface, *ports;
};

static void owner_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	cluster_end(arg, "the process that owns the cluster ended");
}

static void interrupt_cb(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	cluster_end(arg, "the controller was told to stop by SIGINT");
}

static void drain_cb(evutil_socket_t number, short what, void *arg)
{
	struct cluster *cluster = arg;

	(void)what;
	if (number == SIGTERM && cluster->setup->owner_fd < 0)
		curfew_end(cluster);
	else
		curfew_fall(cluster, number);
}

/* A descriptor a peer: as many as the hard limit allows. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Once all that it needs itself is open: one for each who must come, and a first client. */
static int check_descriptor_limit(const struct setup *setup, struct ipp_error *err)
{
	const unsigned expected = setup_expects(setup);
	const size_t max = descriptors_max();
	const int next = fcntl(setup->unix_fd, F_DUPFD_CLOEXEC, 0);
	const size_t needed = (next < 0 ? max : (size_t)next) + expected + 1 + DESCRIPTORS_RESERVE;

	if (next >= 0)
		close(next);
	if (needed <= max)
		return 0;
	return ipp_fail(err, EMFILE,
			"ipp-controller: it would need %zu descriptors for %u %s, and may open "
			"%zu files: raise the hard limit (ulimit -Hn), or start fewer",
			needed, expected, expected > setup->n_engines ? "tasks" : "engines", max);
}

static int parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"setup-fd", required_argument, NULL, 's'},
		{"engines", required_argument, NULL, 'n'},
		{"interface", required_argument, NULL, 'i'},
		{"ports", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "n:h", known, NULL)) != -1) {
		switch (c) {
		case 's':
			options->setup_fd = atoi(optarg);
			break;
		case 'n':
			options->n_engines = (unsigned)strtoul(optarg, &end, 10);
			if (*end == '\0' && options->n_engines > 0 &&
			    options->n_engines <= SETUP_RANKS_MAX)
				break;
			fprintf(stderr,
				"ipp-controller: --engines %s: give a number from 1 to %d\n",
				optarg, SETUP_RANKS_MAX);
			return EXIT_OURS;
		case 'i':
			options->interface = optarg;
			break;
		case 'p':
			options->ports = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			puts("ipp-controller (slurm-ipp) " IPP_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			return EXIT_OURS;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "ipp-controller: what is '%s'?  It takes options alone\n%s", argv[optind],
		usage);
	return EXIT_OURS;
}

/* Signals to a step reach every process of it.  SIGTERM and SIGUSR1 are how Slurm tells it that its
 * end is near.  Of the others, INT ends a cluster that has no owner. */
static int watch_signals(struct cluster *cluster, struct event *events[N_SIGNALS])
{
	const size_t n = cluster->setup->owner_fd >= 0 ? N_SIGNALS - 1 : N_SIGNALS;
	static const struct {
		int number;
		event_callback_fn done;
	} taken[N_SIGNALS] = {{SIGTERM, drain_cb}, {SIGUSR1, drain_cb}, {SIGINT, interrupt_cb}};

	bystander_ignore_signals();
	for (size_t i = 0; i < n; i++) {
		events[i] = evsignal_new(cluster->base, taken[i].number, taken[i].done, cluster);
		if (!events[i] || event_add(events[i], NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int serve(const struct setup *setup, struct ipp_error *err)
{
	struct event_base *base = event_base_new();
	struct event *signals[N_SIGNALS] = {NULL};
	struct event *owner = NULL;
	struct cluster cluster = {0};
	struct heartbeat *heartbeat = NULL;
	struct door *door = NULL;
	int rc;

	if (!base || cluster_init(&cluster, base, setup) < 0) {
		rc = ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
		goto out;
	}
	rc = watch_signals(&cluster, signals);
	if (rc == 0 && setup->owner_fd >= 0) {
		owner = event_new(base, setup->owner_fd, EV_READ, owner_cb, &cluster);
		rc = owner ? event_add(owner, NULL) : -ENOMEM;
	}
	if (rc < 0) {
		rc = ipp_fail(err, ENOMEM, "ipp-controller: cannot watch its owner");
		goto out;
	}
	heartbeat = heartbeat_start(&cluster, HEARTBEAT_MS);
	if (!heartbeat) {
		rc = ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
		goto out;
	}
	rc = check_descriptor_limit(setup, err);
	if (rc < 0)
		goto out;
	door = door_open(&cluster, err);
	if (!door) {
		rc = -err->code;
		goto out;
	}
	event_base_dispatch(base);
out:
	if (rc < 0)
		setup_withdraw(setup);
	door_close(door);
	heartbeat_stop(heartbeat);
	cluster_fini(&cluster);
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (signals[i])
			event_free(signals[i]);
	if (owner)
		event_free(owner);
	if (base)
		event_base_free(base);
	return rc;
}

/* To whoever waits for us to be ready, else to whoever reads what we print. */
static void report(const struct setup *setup, const struct ipp_error *err)
{
	dprintf(setup->ready_fd >= 0 ? setup->ready_fd : STDERR_FILENO, "%s%s\n",
		setup->ready_fd >= 0 ? "error: " : "", err->text);
}

int main(int argc, char **argv)
{
	struct options options = {.setup_fd = -1};
	struct setup setup = {.ready_fd = -1};
	struct ipp_error err = {0};
	int rc;

	standard_fds_fill();
	rc = parse(&options, argc, argv);
	if (rc != 0)
		return rc;
	raise_descriptor_limit();
	rc = options.setup_fd >= 0 ? setup_from_fd(&setup, options.setup_fd, &err)
				   : setup_by_hand(&setup, options.interface, options.ports,
						   options.n_engines, &err);
	if (rc == 0)
		rc = serve(&setup, &err);
	if (rc < 0)
		report(&setup, &err);
	setup_fini(&setup);
	return rc < 0 ? EXIT_OURS : 0;
}
