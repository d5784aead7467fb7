#include "client/libipp/session.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/libipp/discover.h"
#include "client/libipp/engines.h"
#include "client/libipp/module_file.h"
#include "client/libipp/request.h"
#include "launcher/local.h"
#include "proto/dial.h"

void session_lose(struct ipp_client *client, const char *why)
{
	ipp_fail(&client->lost, ECONNRESET, "lost the controller on %s: %.300s",
		 client->connection.host, why);
	link_free(client->link);
	client->link = NULL;
	requests_lose(client);
	event_base_loopbreak(client->base);
}

/* ---- frames that may come at any time ---- */

static void take_notice(struct ipp_client *client, const struct frame *frame)
{
	Ipp__Notice *notice = ipp__notice__unpack(NULL, frame->head_bytes, frame->head);

	if (notice && client->notice)
		client->notice(notice->text);
	ipp__notice__free_unpacked(notice, NULL);
	if (client->roster) /* the engine may come back, or another on another node */
		engines_ask(client);
}

static void take_goodbye(struct ipp_client *client, const struct frame *frame)
{
	Ipp__Goodbye *goodbye = ipp__goodbye__unpack(NULL, frame->head_bytes, frame->head);

	client->goodbye = true;
	session_lose(client, goodbye ? goodbye->why : "it ended");
	ipp__goodbye__free_unpacked(goodbye, NULL);
}

static void take_refuse(struct ipp_client *client, const struct frame *frame)
{
	Ipp__Refuse *refusal = ipp__refuse__unpack(NULL, frame->head_bytes, frame->head);

	session_lose(client, refusal ? refusal->why : "it refused us");
	ipp__refuse__free_unpacked(refusal, NULL);
}

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct ipp_client *client = owner;

	(void)link;
	switch (frame->type) {
	case FRAME_NOTICE:
		take_notice(client, frame);
		break;
	case FRAME_GOODBYE:
		take_goodbye(client, frame);
		break;
	case FRAME_REFUSE:
		take_refuse(client, frame);
		break;
	case FRAME_ROSTER:
		engines_take(client, frame);
		break;
	default:
		/* Frames behind the last one that was wanted may have arrived with it. */
		if (!requests_take(client, frame) && client->take && !client->done &&
		    !client->take(client->waiter, frame)) {
			client->done = true;
			event_base_loopbreak(client->base);
		}
	}
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	session_lose(owner, why->text);
}

static void on_drained(void *owner, struct link *link)
{
	struct ipp_client *client = owner;

	(void)link;
	requests_pump(client);
}

static const struct link_events events = {
	.on_frame = on_frame,
	.on_close = on_close,
	.on_drained = on_drained,
};

/* ---- waiting ---- */

int session_wait(struct ipp_client *client, bool (*take)(void *waiter, const struct frame *frame),
		 void *waiter, struct ipp_error *err)
{
	client->take = take;
	client->waiter = waiter;
	client->done = false;
	while (!client->done && client->link && !client->interrupted)
		alert_turn(&client->alert, client->base);
	client->take = NULL;
	if (client->done)
		return 0;
	if (!client->link) {
		*err = client->lost;
		return -err->code;
	}
	client->interrupted = false;
	return ipp_fail(err, EINTR, "interrupted");
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg; /* it ends a turn of the loop, and session_until() looks at the time */
}

static int start_timer(struct ipp_client *client, int timeout_ms)
{
	const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	if (timeout_ms < 0)
		return 0;
	if (!client->timer)
		client->timer = evtimer_new(client->base, timer_cb, client);
	return client->timer ? evtimer_add(client->timer, &timeout) : -1;
}

int session_until(struct ipp_client *client, bool (*is_so)(const void *what), const void *what,
		  int timeout_ms, struct ipp_error *err)
{
	int rc = 0;

	if (start_timer(client, timeout_ms) < 0)
		return ipp_fail(err, ENOMEM, "out of memory");
	while (rc == 0 && !is_so(what)) {
		if (!client->link) {
			*err = client->lost;
			rc = -err->code;
		} else if (client->interrupted) {
			client->interrupted = false;
			rc = ipp_fail(err, EINTR, "interrupted");
		} else if (timeout_ms >= 0 && !evtimer_pending(client->timer, NULL)) {
			rc = ipp_fail(err, ETIMEDOUT, "not finished after %d ms", timeout_ms);
		} else {
			alert_turn(&client->alert, client->base);
		}
	}
	if (client->timer)
		evtimer_del(client->timer);
	return rc;
}

void session_turn(struct ipp_client *client)
{
	if (client->link)
		event_base_loop(client->base, EVLOOP_NONBLOCK);
}

uint64_t session_request(struct ipp_client *client)
{
	alert_raise(&client->alert);
	return (uint64_t)client->number << 32 | ++client->n_requests;
}

static void drained_late_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	requests_give_up(arg);
}

static void drain(struct ipp_client *client)
{
	const int limit_ms = client->drain_ms;
	const struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};

	if (!client->drained_late)
		client->drained_late = evtimer_new(client->base, drained_late_cb, client);
	if (limit_ms >= 0 && client->drained_late)
		evtimer_add(client->drained_late, &limit);
	if (!client->draining)
		requests_drain(client);
	client->draining = true;
}

/* What an eventfd counts: drains from the second byte on, interrupts below. */
#define DRAIN UINT64_C(256)

static void interrupt_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ipp_client *client = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	if (count >= DRAIN)
		drain(client);
	if (count % DRAIN == 0)
		return;
	client->interrupted = true;
	event_base_loopbreak(client->base);
}

static void post(struct ipp_client *client, uint64_t count)
{
	const ssize_t n = write(client->interrupt_fd, &count, sizeof(count));

	(void)n; /* it can only fail when it is pending already */
}

void ipp_interrupt(struct ipp_client *client)
{
	post(client, 1);
}

void ipp_drain(struct ipp_client *client, int limit_ms)
{
	client->drain_ms = limit_ms;
	post(client, DRAIN);
}

/* ---- connecting ---- */

static void dialled(void *owner, struct link *link, const struct ipp_error *why)
{
	struct ipp_client *client = owner;

	client->link = link;
	if (link)
		link_own(link, &events, client);
	else
		client->lost = *why;
	event_base_loopbreak(client->base);
}

static bool take_welcome(void *waiter, const struct frame *frame)
{
	struct ipp_client *client = waiter;
	Ipp__Welcome *welcome = frame->type == FRAME_WELCOME
					? ipp__welcome__unpack(NULL, frame->head_bytes, frame->head)
					: NULL;

	if (!welcome) {
		session_lose(client, "it did not greet us: is it of the same version?");
		return true;
	}
	client->number = welcome->client;
	free(client->connection.host);
	client->connection.host = strdup(welcome->host);
	ipp__welcome__free_unpacked(welcome, NULL);
	return false;
}

static void welcome_late_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ipp_client *client = arg;

	(void)fd;
	(void)what;
	if (client->number == 0 && client->link)
		session_lose(
			client,
			"it does not answer: is it stopped (ps shows it, kill -CONT lets it go on), or its node overloaded?");
}

static int reach(struct ipp_client *client, int timeout_ms, struct ipp_error *err)
{
	const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	Ipp__Hello hello = IPP__HELLO__INIT;

	client->dial = dial_start(client->base, &client->connection, timeout_ms, dialled, client);
	if (!client->dial)
		return ipp_fail(err, ENOMEM, "out of memory");
	event_base_dispatch(client->base);
	dial_free(client->dial);
	client->dial = NULL;
	if (!client->link) {
		*err = client->lost;
		return -err->code;
	}
	hello.role = IPP__ROLE__CLIENT;
	hello.rank = -1;
	hello.pid = (uint32_t)getpid();
	hello.job = client->connection.job;
	link_send(client->link, FRAME_HELLO, &hello.base, NULL);
	event_base_once(client->base, -1, EV_TIMEOUT, welcome_late_cb, client, &timeout);
	return session_wait(client, take_welcome, client, err);
}

static int start_local(struct ipp_client *client, const struct ipp_connect *options,
		       struct ipp_error *err)
{
	const unsigned n = options->local_engines == IPP_ENGINE_PER_CPU ? local_cpus()
									: options->local_engines;
	int self;
	int rc = discover_check_alone(options->own_engines, err);

	if (rc < 0)
		return rc;
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (self < 0)
		return ipp_fail(err, errno,
				"cannot make a pidfd: %m; Linux 5.3 or later is needed");
	rc = local_name(&client->connection, err);
	if (rc >= 0)
		rc = local_start(&client->connection, rc, n,
				 options->timeout_ms ? options->timeout_ms : SESSION_TIMEOUT_MS,
				 self, err);
	close(self);
	return rc;
}

void ipp_dispatch(struct ipp_client *client)
{
	session_turn(client);
}

int ipp_fd(const struct ipp_client *client, short *what)
{
	*what = POLLIN;
	if (!client->link)
		return -1;
	if (link_backlog(client->link) > 0)
		*what |= POLLOUT;
	return link_fd(client->link);
}

static int find_and_reach(struct ipp_client *client, const struct ipp_connect *options,
			  struct ipp_error *err)
{
	const unsigned given_ms = options->timeout_ms ? options->timeout_ms : SESSION_TIMEOUT_MS;
	const int timeout_ms = given_ms < INT_MAX ? (int)given_ms : INT_MAX;
	int found = options->cluster ? discover_named(&client->connection, options->cluster, err)
				     : discover(&client->connection, err);
	int rc;

	if (found < 0)
		return found;
	client->by_file = found == DISCOVERED_FILE;
	if (options->own_engines && found == DISCOVERED_GIVEN)
		return ipp_fail(err, EEXIST,
				"--engines starts engines on this machine, but this job has "
				"engines already: leave it out, or choose some with --targets");
	if (options->own_engines) {
		connection_fini(&client->connection);
		client->by_file = false;
		found = DISCOVERED_NONE;
	}
	if (found != DISCOVERED_NONE) {
		rc = reach(client, timeout_ms, err);
		if (rc == 0)
			return 0;
		if (found == DISCOVERED_GIVEN && rc == -ECONNREFUSED)
			return ipp_fail(
				err, -rc,
				"no controller answers at %s: it has ended, or it "
				"is on another node: run ipp-run where the job's first node is",
				options->cluster ? options->cluster : getenv("IPP_CONNECT"));
		if (rc != -ECONNREFUSED || client->connection.n_addresses > 0)
			return rc;
		/* Of a cluster that was killed: go on as if the file had not been there.  It stays,
		 * for by now it may be a new cluster's. */
		connection_fini(&client->connection);
		client->by_file = false;
	}
	if (options->local_engines == 0)
		return ipp_fail(err, ENOENT,
				"there is no cluster here: start one with ipp-run start, "
				"or type srun --ipp-engines ipp-run ...");
	rc = start_local(client, options, err);
	return rc < 0 ? rc : reach(client, timeout_ms, err);
}

int ipp_connect(struct ipp_client **out, const struct ipp_connect *options, struct ipp_error *err)
{
	struct ipp_client *client = calloc(1, sizeof(*client));
	int rc;

	if (!client)
		return ipp_fail(err, ENOMEM, "out of memory");
	client->notice = options->notice;
	client->requests_end = &client->requests;
	client->unknown_rank = UINT32_MAX;
	client->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	client->base = event_base_new();
	client->interrupt = client->base ? event_new(client->base, client->interrupt_fd,
						     EV_READ | EV_PERSIST, interrupt_cb, client)
					 : NULL;
	if (client->interrupt_fd < 0 || !client->interrupt ||
	    event_add(client->interrupt, NULL) < 0)
		rc = ipp_fail(err, ENOMEM, "out of memory");
	else
		rc = find_and_reach(client, options, err);
	if (rc < 0)
		ipp_disconnect(client);
	else
		*out = client;
	return rc;
}

void ipp_disconnect(struct ipp_client *client)
{
	if (!client)
		return;
	link_free(client->link);
	client->link = NULL;
	ipp_fail(&client->lost, ECONNRESET, "disconnected");
	requests_lose(client);
	dial_free(client->dial);
	if (client->timer)
		event_free(client->timer);
	if (client->interrupt)
		event_free(client->interrupt);
	if (client->drained_late)
		event_free(client->drained_late);
	if (client->interrupt_fd >= 0)
		close(client->interrupt_fd);
	if (client->base)
		event_base_free(client->base);
	connection_fini(&client->connection);
	engines_fini(client);
	module_file_free(client->module);
	ipp__requests__free_unpacked(client->requests_head, NULL);
	ipp__status__free_unpacked(client->status_head, NULL);
	free(client->requests_seen);
	free(client->statuses);
	free(client);
}
