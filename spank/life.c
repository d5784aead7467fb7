#include "spank/life.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 2000

static int life[2] = {-1, -1};

void life_begin(void)
{
	if (pipe2(life, O_CLOEXEC) < 0)
		life[0] = life[1] = -1;
}

int life_hand_on(void)
{
	if (life[1] >= 0)
		fcntl(life[1], F_SETFD, 0);
	return life[1];
}

void life_wait(void)
{
	/* A process leaves its cgroup just after its descriptors are closed. */
	static const struct timespec after = {.tv_nsec = 2000000};
	struct pollfd hung_up = {.fd = life[0]};

	if (life[0] < 0)
		return;
	close(life[1]);
	if (poll(&hung_up, 1, WAIT_MS) > 0)
		nanosleep(&after, NULL);
	close(life[0]);
	life[0] = life[1] = -1;
}
