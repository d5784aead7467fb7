#include "client/libipp/engines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/request.h"
#include "client/libipp/session.h"

#define RANKS_MAX (1u << 20)

struct host {
	struct host *next;
	char name[];
};

static void ask(struct ipp_client *client, bool whole)
{
	Ipp__Roster question = IPP__ROSTER__INIT;

	if (!client->link)
		return;
	question.whole = whole;
	link_send(client->link, FRAME_ROSTER, &question.base, NULL);
	client->rosters_awaited++;
}

void engines_ask(struct ipp_client *client)
{
	ask(client, false);
}

/* One copy of each name, which stays: results point to it. */
static const char *intern(struct ipp_client *client, const char *host)
{
	struct host *one = client->host_names;

	while (one && strcmp(one->name, host) != 0)
		one = one->next;
	if (one)
		return one->name;
	one = malloc(sizeof(*one) + strlen(host) + 1);
	if (!one)
		return "";
	one->next = client->host_names;
	strcpy(one->name, host);
	client->host_names = one;
	return one->name;
}

static void note_host(struct ipp_client *client, uint32_t rank, const char *host)
{
	if (rank >= RANKS_MAX)
		return;
	if (rank >= client->n_hosts) {
		const char **room = realloc(client->hosts, (rank + 1) * sizeof(*room));

		if (!room)
			return;
		memset(room + client->n_hosts, 0, (rank + 1 - client->n_hosts) * sizeof(*room));
		client->hosts = room;
		client->n_hosts = rank + 1;
	}
	client->hosts[rank] = intern(client, host);
}

bool engines_host(struct ipp_client *client, uint32_t rank, const char **host)
{
	*host = rank < client->n_hosts ? client->hosts[rank] : NULL;
	if (*host)
		return true;
	*host = "";
	if (!client->link || rank >= RANKS_MAX)
		return true;
	client->unknown_rank = rank;
	if (client->rosters_awaited == 0)
		engines_ask(client);
	return false;
}

void engines_take(struct ipp_client *client, const struct frame *frame)
{
	Ipp__Roster *roster = ipp__roster__unpack(NULL, frame->head_bytes, frame->head);
	const uint32_t unknown = client->unknown_rank;

	if (client->rosters_awaited > 0)
		client->rosters_awaited--;
	if (!roster)
		return;
	for (size_t i = 0; i < roster->n_engines; i++)
		note_host(client, roster->engines[i]->rank, roster->engines[i]->host);
	if (unknown != UINT32_MAX && (unknown >= client->n_hosts || !client->hosts[unknown]))
		note_host(client, unknown, ""); /* it has gone */
	client->unknown_rank = UINT32_MAX;
	ipp__roster__free_unpacked(client->roster, NULL);
	client->roster = roster;
	requests_report(client);
}

void engines_fini(struct ipp_client *client)
{
	ipp__roster__free_unpacked(client->roster, NULL);
	free(client->engines);
	free(client->hosts);
	while (client->host_names) {
		struct host *next = client->host_names->next;

		free(client->host_names);
		client->host_names = next;
	}
}

static bool answered(const void *what)
{
	return ((const struct ipp_client *)what)->rosters_awaited == 0;
}

int ipp_engines(struct ipp_client *client, const struct ipp_engine **out, size_t *n,
		struct ipp_error *err)
{
	struct ipp_engine *engines;
	int rc;

	ask(client, true);
	rc = session_until(client, answered, client, -1, err);
	if (rc < 0)
		return rc;
	engines = client->roster ? calloc(client->roster->n_engines + 1, sizeof(*engines)) : NULL;
	if (!engines)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < client->roster->n_engines; i++)
		engines[i] = (struct ipp_engine){.rank = client->roster->engines[i]->rank,
						 .pid = client->roster->engines[i]->pid,
						 .host = client->roster->engines[i]->host};
	free(client->engines);
	client->engines = engines;
	*out = engines;
	*n = client->roster->n_engines;
	return 0;
}
