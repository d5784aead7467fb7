#include "engine/stray.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "proto/bystander.h"

#define PATIENCE_MS 50

static pid_t watcher;
static bool watched[NSIG];
static volatile sig_atomic_t came[NSIG], any_came;

static bool is_for_others(const siginfo_t *info)
{
	return getpid() == watcher && info->si_pid != watcher &&
	       (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE);
}

static void note(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (is_for_others(info)) {
		came[number] = any_came = 1;
		return;
	}
	signal(number, SIG_DFL);
	raise(number); /* it is blocked until we return */
}

void stray_watch(void)
{
	/* A handler and not SIG_IGN, for that would last in commands. */
	const struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_RESTART | SA_SIGINFO};

	watcher = getpid();
	for (int number = 1; number < NSIG; number++)
		watched[number] = bystander_is_for_others(number) &&
				  sigaction(number, &action, NULL) == 0;
}

void stray_forget(void)
{
	if (!any_came)
		return;
	any_came = 0;
	for (int number = 1; number < NSIG; number++)
		came[number] = 0;
}

bool stray_came(int number)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	if (number < 1 || number >= NSIG || !watched[number])
		return false;
	for (int ms = 0; !came[number] && ms < PATIENCE_MS; ms++)
		nanosleep(&nap, NULL);
	return came[number];
}
