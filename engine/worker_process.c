#include "engine/worker_process.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/capture.h"
#include "engine/orphans.h"
#include "proto/error.h"
#include "proto/frame.h"

/* Between closing its link, as a process that dies does first of all, and being dead. */
#define DYING_MS 50

struct worker_process {
	struct link *link;
	struct event *death;	  /* its pidfd is readable */
	struct worker_page *page; /* shared with it */
	bool page_is_whole;
	uint64_t n_heard; /* frames from it since it was ready */
	const struct worker_events *events;
	void *owner;
	pid_t pid; /* 0 once it was reaped */
	int pidfd, status;
	int out, err;			  /* what its stdout and stderr lead to, see capture.h */
	struct outlet outlets[N_OUTLETS]; /* ends to read from, see outlet.h */
	bool closed;			  /* everything it wrote has been read */
	bool severed;			  /* it closed its link, and lived */
};

/* ipp-worker lies beside this program. 0 or -errno, when it cannot be run. */
static int worker_path(char path[PATH_MAX])
{
	const ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof("ipp-worker"));

	if (n < 0)
		return -errno;
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "ipp-worker");
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* In the child: they are what it knows them as, from WORKER_LINK_FD on; all others close on exec.
 */
static void hand_over(const int fds[N_WORKER_FDS])
{
	int copies[N_WORKER_FDS];
	bool all = true;

	for (int i = 0; i < N_WORKER_FDS; i++) {
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, WORKER_LINK_FD + N_WORKER_FDS);
		all = all && copies[i] >= 0;
	}
	for (int i = 0; all && i < N_WORKER_FDS; i++)
		all = dup2(copies[i], WORKER_LINK_FD + i) >= 0;
	if (!all) {
		fputs("ipp-engine: too few files may be open for a worker: raise ulimit -n\n",
		      stderr);
		_exit(125);
	}
}

static void become_worker(const char *path, const struct worker_process *worker,
			  const int fds[N_WORKER_FDS], uint32_t rank, pid_t engine)
{
	char rank_text[16];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != engine)
		_exit(125);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	dup2(worker->out, STDOUT_FILENO);
	dup2(worker->err, STDERR_FILENO);
	hand_over(fds);
	snprintf(rank_text, sizeof(rank_text), "%u", rank);
	execl(path, path, rank_text, (char *)NULL);
	fprintf(stderr, "ipp-engine: cannot start %s: %s\n", path, strerror(errno));
	_exit(125);
}

/* Only when it is dead and its last results have been read is it known what it left undone. */
static void maybe_report(struct worker_process *worker)
{
	if (worker->pid == 0 && worker->closed)
		worker->events->on_death(worker->owner, worker->status);
}

static void death_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker_process *worker = arg;

	(void)fd;
	(void)what;
	while (waitpid(worker->pid, &worker->status, 0) < 0 && errno == EINTR)
		;
	worker->pid = 0;
	orphans_kill();
	maybe_report(worker);
}

static bool is_dead_within(const struct worker_process *worker, int ms)
{
	struct pollfd on = {.fd = worker->pidfd, .events = POLLIN};

	return poll(&on, 1, ms) != 0;
}

static void frame_cb(void *owner, struct link *link, const struct frame *frame)
{
	struct worker_process *worker = owner;

	(void)link;
	worker->n_heard += frame->type != FRAME_READY;
	worker->events->on_frame(worker->owner, frame);
}

/* It closes its end by dying; if user code did it instead, or became another program, the worker is
 * of no more use. */
static void close_cb(void *owner, struct link *link, const struct ipp_error *why)
{
	struct worker_process *worker = owner;

	(void)link;
	(void)why;
	worker->closed = true;
	worker->severed = worker->pid > 0 && !is_dead_within(worker, DYING_MS);
	worker_kill(worker);
	maybe_report(worker);
}

static const struct link_events link_events = {.on_frame = frame_cb, .on_close = close_cb};

static int share_page(struct worker_process *worker)
{
	const int fd = memfd_create("slurm-ipp-progress", MFD_CLOEXEC);

	if (fd < 0)
		return fd;
	worker->page_is_whole = ftruncate(fd, sizeof(*worker->page)) == 0;
	if (!worker->page_is_whole && ftruncate(fd, sizeof(worker->page->progress)) < 0)
		return fd;
	worker->page = mmap(NULL, sizeof(*worker->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (worker->page == MAP_FAILED)
		worker->page = NULL;
	return fd;
}

/* 0 or -1.  `ends` are both of each, as the worker gets them. */
static int open_outlets(struct worker_process *worker, int ends[2 * N_OUTLETS])
{
	for (int i = 0; i < N_OUTLETS; i++) {
		struct outlet *outlet = &worker->outlets[i];

		outlet->tail = worker->page_is_whole ? &worker->page->tails[i] : NULL;
		if (outlet_open(outlet) != 0)
			return -1;
		ends[2 * i] = outlet->ends[0];
		ends[2 * i + 1] = outlet->ends[1];
	}
	return 0;
}

/* Those to write to are the worker's alone. */
static void close_writers(struct worker_process *worker)
{
	for (int i = 0; i < N_OUTLETS; i++) {
		close(worker->outlets[i].ends[1]);
		worker->outlets[i].ends[1] = -1;
	}
}

struct worker_process *worker_start(struct event_base *base, uint32_t rank, bool careful,
				    const struct worker_events *events, void *owner,
				    struct ipp_error *err)
{
	struct worker_process *worker = calloc(1, sizeof(*worker));
	const pid_t engine = getpid();
	int ends[2] = {-1, -1};
	int fds[N_WORKER_FDS];
	int page_fd = -1;
	char path[PATH_MAX];
	const int found = worker_path(path);

	if (found < 0) {
		free(worker);
		ipp_fail(err, -found, "cannot run %s: %m; install slurm-ipp whole on this node",
			 path);
		return NULL;
	}
	if (!worker)
		goto fail;
	*worker = (struct worker_process){
		.events = events, .owner = owner, .pidfd = -1, .out = -1, .err = -1};
	for (int i = 0; i < N_OUTLETS; i++)
		worker->outlets[i] = (struct outlet){.ends = {-1, -1}};
	page_fd = share_page(worker);
	if (worker->page)
		worker->page->progress.careful = careful;
	worker->out = capture_open();
	worker->err = capture_open();
	if (!worker->page || worker->out < 0 || worker->err < 0 ||
	    open_outlets(worker, &fds[WORKER_OUTLETS_FD - WORKER_LINK_FD]) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		goto fail;
	worker->link = link_unix(base, ends[0], &link_events, worker);
	ends[0] = -1;
	if (!worker->link)
		goto fail;
	link_trust(worker->link);
	fds[0] = ends[1];
	fds[WORKER_PAGE_FD - WORKER_LINK_FD] = page_fd;
	worker->pid = fork();
	if (worker->pid == 0)
		become_worker(path, worker, fds, rank, engine);
	if (worker->pid < 0) {
		worker->pid = 0;
		goto fail;
	}
	worker->pidfd = (int)syscall(SYS_pidfd_open, worker->pid, 0);
	worker->death = worker->pidfd < 0
				? NULL
				: event_new(base, worker->pidfd, EV_READ, death_cb, worker);
	if (!worker->death || event_add(worker->death, NULL) < 0)
		goto fail;
	close(ends[1]);
	close(page_fd);
	close_writers(worker);
	return worker;
fail:
	ipp_fail(err, errno ? errno : ENOMEM, "cannot start a worker: %m");
	if (ends[1] >= 0)
		close(ends[1]);
	if (page_fd >= 0)
		close(page_fd);
	worker_free(worker);
	return NULL;
}

void worker_free(struct worker_process *worker)
{
	if (!worker)
		return;
	if (worker->pid > 0) {
		worker_kill(worker);
		waitpid(worker->pid, NULL, 0);
		orphans_kill();
	}
	link_free(worker->link);
	if (worker->death)
		event_free(worker->death);
	if (worker->pidfd >= 0)
		close(worker->pidfd);
	if (worker->out >= 0)
		close(worker->out);
	if (worker->err >= 0)
		close(worker->err);
	for (int i = 0; i < N_OUTLETS; i++)
		outlet_close(&worker->outlets[i]);
	if (worker->page)
		munmap(worker->page, sizeof(*worker->page));
	free(worker);
}

void worker_kill(struct worker_process *worker)
{
	if (worker->pid > 0)
		kill(worker->pid, SIGKILL);
}

struct link *worker_link(const struct worker_process *worker)
{
	return worker->link;
}

void worker_hold(struct worker_process *worker, bool held)
{
	progress_hold(&worker->page->progress, held);
}

pid_t worker_pid(const struct worker_process *worker)
{
	return worker->pid;
}

struct progress worker_progress(const struct worker_process *worker)
{
	return worker->page->progress;
}

bool worker_was_severed(const struct worker_process *worker)
{
	return worker->severed || worker->page->progress.severed;
}

bool worker_is_careful(const struct worker_process *worker)
{
	return worker->page->progress.careful;
}

bool worker_is_stopped(const struct worker_process *worker)
{
	siginfo_t info = {0};

	return worker->pid > 0 &&
	       waitid(P_PID, (id_t)worker->pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0;
}

/* What functions wrote to `own`, and the command or the line that ran. */
static void take_words(int own, const struct outlet *command, const struct outlet *shell,
		       struct evbuffer *into)
{
	struct evbuffer *words = evbuffer_new();
	size_t bytes;

	if (!words)
		return;
	capture_take(own, WORDS_BYTES, words);
	outlet_take_last(command, words);
	outlet_take_last(shell, words);
	bytes = evbuffer_get_length(words);
	if (bytes > WORDS_BYTES)
		evbuffer_drain(words, bytes - WORDS_BYTES);
	evbuffer_add_buffer(into, words);
	evbuffer_free(words);
}

void worker_last_words(const struct worker_process *worker, struct evbuffer *out,
		       struct evbuffer *err)
{
	take_words(worker->out, &worker->outlets[OUTLET_OUT], &worker->outlets[OUTLET_SHELL_OUT],
		   out);
	take_words(worker->err, &worker->outlets[OUTLET_ERR], &worker->outlets[OUTLET_SHELL_ERR],
		   err);
}

bool worker_running(const struct worker_process *worker, struct progress *out)
{
	return progress_read(&worker->page->progress, out);
}

void worker_take_waiting(struct worker_process *worker)
{
	struct frame frame = {.type = FRAME_RESULTS};
	uint8_t *head;

	if (!worker->page_is_whole || worker_was_severed(worker) ||
	    !outbox_take(&worker->page->outbox, worker->n_heard, &head, &frame.head_bytes,
			 &frame.payload))
		return;
	frame.head = head;
	worker->events->on_frame(worker->owner, &frame);
	free(head);
	blob_unref(frame.payload);
}
