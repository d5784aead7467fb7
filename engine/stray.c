#include "engine/stray.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

#define PATIENCE_MS 50

static const int watched[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
#define N_WATCHED (sizeof(watched) / sizeof(watched[0]))

static volatile sig_atomic_t came[NSIG];

static void note(int number)
{
	came[number] = 1;
}

void stray_watch(void)
{
	/* A handler and not SIG_IGN, for that would last in commands. */
	const struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < N_WATCHED; i++)
		sigaction(watched[i], &action, NULL);
}

void stray_forget(void)
{
	for (size_t i = 0; i < N_WATCHED; i++)
		came[watched[i]] = 0;
}

bool stray_came(int number)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	bool is_watched = false;

	for (size_t i = 0; i < N_WATCHED; i++)
		is_watched |= watched[i] == number;
	for (int ms = 0; is_watched && !came[number] && ms < PATIENCE_MS; ms++)
		nanosleep(&nap, NULL);
	return is_watched && came[number];
}
