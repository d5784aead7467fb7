#include "controller/lead.h"

#include <string.h>

#include "controller/engine.h"
#include "proto/blob.h"

/* A neighbour that asks costs some 60 us, in which 1 Gbit/s and TLS carry 7 KiB, and 10 Gbit/s 35.
 */
#define LEAD_BYTES_MIN (8u << 10)

bool lead_could_be(const struct engine *engine, const struct blob *payload)
{
	return engine->share && payload && payload->bytes >= LEAD_BYTES_MIN;
}

const struct engine *lead_of(const struct engine *engine,
			     bool (*has)(const struct engine *other, uint64_t id), uint64_t id)
{
	const struct cluster *cluster = engine->cluster;

	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		const struct engine *other = engine_find(cluster, (uint32_t)rank);

		if (other && other != engine && other->share &&
		    strcmp(other->host, engine->host) == 0 && has(other, id))
			return other;
	}
	return NULL;
}
