/* A module that crashes where no function of it runs, with IPP_TEST_CRASH=load or =unload; and a
 * function that does to its worker what its item says. */
#include <fcntl.h>
#include <inttypes.h>
#include <ipp/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/progress.h"

IPP_MODULE

ipp_function nothing, act;

static void crash_at(const char *moment)
{
	const char *wanted = getenv("IPP_TEST_CRASH");

	if (wanted && strcmp(wanted, moment) == 0)
		_Exit(7);
}

__attribute__((constructor)) static void load(void)
{
	crash_at("load");
}

__attribute__((destructor)) static void unload(void)
{
	crash_at("unload");
}

int nothing(struct ipp_call *call)
{
	(void)call;
	return 0;
}

static void do_abort(void)
{
	fprintf(stderr, "last words\n");
	abort();
}

static void do_segv(void)
{
	char *nobodys = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	signal(SIGSEGV, SIG_DFL); /* a sanitizer would end us instead */
	fprintf(stderr, "words before a fault\n");
	*nobodys = 1;
}

/* As by a time limit of its own. */
static void do_alarm(void)
{
	alarm(1);
	for (;;)
		pause();
}

static void do_term(void)
{
	raise(SIGTERM);
}

/* As a library does with its helper. */
static void do_end_child(void)
{
	const pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGTERM);
	if (child < 0 || waitpid(child, NULL, 0) < 0)
		abort();
}

static void do_kill(void)
{
	raise(SIGKILL);
}

static void do_leave(void)
{
	printf("half a line");
	exit(9);
}

/* As most programs hang: deaf to kill. */
static void do_hang(void)
{
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

static void do_stop(void)
{
	raise(SIGSTOP);
}

static void do_exec(void)
{
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
}

static void do_close(void)
{
	closefrom(0);
}

/* The link to the engine, and something else takes its place. */
static void do_close_link(void)
{
	close(3);
	if (open("/dev/null", O_RDWR) != 3)
		abort();
}

/* As a daemon begins. */
static void do_close_three(void)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
}

/* The child returns as well, and first. */
static void do_fork(void)
{
	const pid_t child = fork();

	if (child < 0 || (child > 0 && waitpid(child, NULL, 0) < 0))
		abort();
}

/* Through stdio, past it, and as a child does. */
static void do_say(void)
{
	printf("out\n");
	fprintf(stderr, "err\n");
	/* NOLINTNEXTLINE(cert-env33-c): as users do it */
	if (system("echo child; echo child >&2") != 0)
		abort();
}

/* A child and a daemon that stay. */
static void do_leave_children(void)
{
	if (fork() == 0) {
		do_exec();
		_exit(1);
	}
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			do_exec();
		_exit(0);
	}
}

/* What the worker shares with its engine, where results wait. */
static struct outbox *outbox(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct worker_page *page = NULL;
	char line[512];
	uintptr_t at;

	while (maps && !page && fgets(line, sizeof(line), maps))
		if (strstr(line, "memfd:slurm-ipp-progress") && sscanf(line, "%" SCNxPTR, &at) == 1)
			page = (struct worker_page *)at; /* NOLINT(performance-no-int-to-ptr) */
	if (!page)
		abort();
	fclose(maps);
	return &page->outbox;
}

static void do_write(void)
{
	printf("out\n");
}

/* As an array that is written past its end might: what waits there loses its output. */
static void do_cut_short(void)
{
	outbox()->payload_bytes = 0;
}

/* The next one there does not say of which map it is. */
static void do_miscount(void)
{
	outbox()->n_results++;
}

static void do_eat(void)
{
	const size_t bytes = 16 << 20;
	char *more;

	fprintf(stderr, "hungry\n");
	while ((more = malloc(bytes)))
		memset(more, 1, bytes);
}

int act(struct ipp_call *call)
{
	static const struct {
		const char *item;
		void (*act)(void);
	} acts[] = {
		{"abort", do_abort},
		{"segv", do_segv},
		{"alarm", do_alarm},
		{"term", do_term},
		{"end child", do_end_child},
		{"kill", do_kill},
		{"leave", do_leave},
		{"hang", do_hang},
		{"stop", do_stop},
		{"exec", do_exec},
		{"close", do_close},
		{"fork", do_fork},
		{"close three", do_close_three},
		{"close link", do_close_link},
		{"say", do_say},
		{"eat", do_eat},
		{"write", do_write},
		{"cut short", do_cut_short},
		{"miscount", do_miscount},
		{"leave children", do_leave_children},
	};

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(ipp_item(call)->text, acts[i].item) == 0)
			acts[i].act();
	return ipp_return_integer(call, (int64_t)ipp_index(call));
}
