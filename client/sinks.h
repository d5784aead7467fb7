/* client/sinks.h - all the sinks of one map.
 *
 * A sink that fails, as on a full disk, is said so once and gets no more; the map and the other
 * sinks go on.  Thread: any. */
#ifndef IPP_CLIENT_SINKS_H
#define IPP_CLIENT_SINKS_H

#include "client/map_options.h"
#include "client/sink.h"

#define SINKS_MAX 4

/* All zero is none. */
struct sinks {
	struct sink *at[SINKS_MAX];
	size_t n;
	bool need_items; /* they read ended.item */
	bool failed;	 /* one of them did */
};

/* Those that the options ask for.
 *   total  tasks there will be; 0: not known */
int sinks_open(struct sinks *sinks, const struct map_options *options, uint64_t total,
	       struct ipp_error *err);
void sinks_close(struct sinks *sinks);

void sinks_make_way(struct sinks *sinks);
void sinks_tick(struct sinks *sinks);
void sinks_add(struct sinks *sinks, const struct ended *ended);
void sinks_flush(struct sinks *sinks);

#endif
