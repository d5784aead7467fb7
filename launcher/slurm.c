#include "launcher/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/address.h"
#include "launcher/clock.h"

#define ANSWER_MS 2000
#define END_ANSWER_S 5

/* It is no matter of the user's when there is no answer. */
static void silence(void)
{
	const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(nothing, STDERR_FILENO);
}

static void __attribute__((noreturn)) ask(const char *node, int answer)
{
	node_info_msg_t *nodes = NULL;
	const char *address;

	silence();
	slurm_init(NULL);
	if (slurm_load_node_single(&nodes, (char *)node, SHOW_ALL) != SLURM_SUCCESS ||
	    nodes->record_count != 1)
		_exit(1);
	address = nodes->node_array[0].node_addr;
	_exit(!address || write(answer, address, strlen(address)) < 0);
}

/* In a child: libslurm ends the process that finds no slurm.conf, and waits for slurmctld longer
 * than we would. */
static void ask_slurmctld(char *address, size_t bytes, const char *node)
{
	const long long deadline_ms = clock_ms() + ANSWER_MS;
	int answer[2];
	size_t got = 0;
	pid_t child;

	address[0] = '\0';
	if (pipe2(answer, O_CLOEXEC) < 0)
		return;
	child = fork();
	if (child == 0)
		ask(node, answer[1]);
	close(answer[1]);
	while (child > 0) {
		struct pollfd ready = {.fd = answer[0], .events = POLLIN};
		const ssize_t n = poll(&ready, 1, clock_left_ms(deadline_ms)) > 0
					  ? read(answer[0], address + got, bytes - 1 - got)
					  : -1;

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	address[got] = '\0';
	close(answer[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

int slurm_node_address(struct sockaddr_storage *out, const char *node)
{
	char address[256];

	ask_slurmctld(address, sizeof(address), node);
	if (address[0] && address_resolve(out, address) == 0)
		return 0;
	return address_resolve(out, node);
}

char *slurm_first_host(const char *list)
{
	const hostlist_t hosts = slurm_hostlist_create(list);
	char *first;

	if (!hosts)
		return NULL;
	first = slurm_hostlist_shift(hosts);
	slurm_hostlist_destroy(hosts);
	return first;
}

int slurm_tell_end(const char *job, int fd)
{
	slurm_conf_t *conf = NULL;
	time_t end;

	silence();
	alarm(END_ANSWER_S);
	slurm_init(NULL);
	if (slurm_get_end_time((uint32_t)strtoul(job, NULL, 10), &end) != SLURM_SUCCESS ||
	    slurm_load_ctl_conf(0, &conf) != SLURM_SUCCESS)
		return -EIO;
	return dprintf(fd, "%lld %u\n", (long long)end, conf->kill_wait) < 0 ? -errno : 0;
}
