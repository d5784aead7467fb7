/* ipp-worker - the process in which user code runs; started by ipp-engine, which gives it a link on
 * descriptor WORKER_LINK_FD and more on those behind it (engine/progress.h). */
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/orphans.h"
#include "engine/progress.h"
#include "engine/stray.h"
#include "engine/worker.h"

#define COPIES_FD 16

/* When memory runs out, a worker goes first: its loss costs one task. */
static void volunteer_for_oom(void)
{
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) < 0)
		fputs("ipp-worker: cannot set oom_score_adj\n", stderr);
	close(fd);
}

/* In what there is of a page. */
static struct outbox *take_page(struct worker_page *page)
{
	static struct outbox own;
	struct stat status;
	const bool whole = fstat(WORKER_PAGE_FD, &status) == 0 &&
			   (size_t)status.st_size >= sizeof(*page);
	int fd = WORKER_OUTLETS_FD;

	for (int i = 0; i < N_OUTLETS; i++) {
		outlets[i].tail = whole ? &page->tails[i] : NULL;
		for (int end = 0; end < 2; end++, fd++)
			if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
				outlets[i].ends[end] = fd;
	}
	return whole ? &page->outbox : &own;
}

int main(int argc, char **argv)
{
	struct worker_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
					WORKER_PAGE_FD, 0);
	struct event_base *base = event_base_new();
	struct outbox *outbox;

	if (argc != 2 || page == MAP_FAILED || !base ||
	    fcntl(WORKER_LINK_FD, F_SETFD, FD_CLOEXEC) < 0) {
		fputs("ipp-worker: it is started by ipp-engine; people start ipp-run\n", stderr);
		return 125;
	}
	outbox = take_page(page);
	close(WORKER_PAGE_FD);
	volunteer_for_oom();
	orphans_adopt();
	stray_watch();
	setvbuf(stdout, NULL, _IOLBF, 0); /* in order with what children write; and last words */
	/* Copies, for a function may close what it knows. */
	worker_run(base, WORKER_LINK_FD, &page->progress, outbox, (uint32_t)atoi(argv[1]),
		   fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, COPIES_FD),
		   fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, COPIES_FD));
	event_base_free(base);
	return 0;
}
