/* pingpong - the least that a round trip between two processes can take: a byte over a Unix socket
 * and back, both sides blocking in read().  Prints "median min p90" in microseconds.
 *
 *	pingpong N */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void echo(int fd)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, &byte, 1) == 1)
		if (write(fd, &byte, 1) != 1)
			break;
	_exit(0);
}

int main(int argc, char **argv)
{
	const long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	double *us = n > 0 ? calloc((size_t)n, sizeof(*us)) : NULL;
	char byte = 0;
	int ends[2];

	if (!us || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) {
		fputs("usage: pingpong N\n", stderr);
		return 125;
	}
	if (fork() == 0) {
		close(ends[0]);
		echo(ends[1]);
	}
	for (long i = 0; i < n; i++) {
		const double begin = now_us();

		if (write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			return 1;
		us[i] = now_us() - begin;
	}
	qsort(us, (size_t)n, sizeof(*us), compare);
	printf("%.1f %.1f %.1f\n", us[n / 2], us[0], us[n * 9 / 10]);
	free(us);
	return 0;
}
