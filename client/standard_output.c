#include "client/standard_output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static int failure;

/* Whether it is worth another try: signals are not why output is lost. */
static bool has_room(void)
{
	struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return errno == EINTR || (errno == EAGAIN && (poll(&room, 1, -1) >= 0 || errno == EINTR));
}

/* All of it, or it counts as failed. */
static ssize_t put(void *cookie, const char *bytes, size_t n)
{
	size_t done = 0;

	(void)cookie;
	while (done < n) {
		const ssize_t written = write(STDOUT_FILENO, bytes + done, n - done);

		if (written >= 0)
			done += (size_t)written;
		else if (!has_room())
			break;
	}
	if (done < n && failure == 0)
		failure = errno;
	return (ssize_t)done;
}

void standard_output_take(void)
{
	FILE *ours = fopencookie(NULL, "w", (cookie_io_functions_t){.write = put});

	if (!ours)
		return;
	if (isatty(STDOUT_FILENO))
		setvbuf(ours, NULL, _IOLBF, BUFSIZ);
	stdout = ours;
}

int standard_output_failure(void)
{
	return failure;
}
