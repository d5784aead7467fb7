/* client/ranges.h - which engines, which rows: numbers as people write them.
 *
 *   all         every one                  0,2-5      these; both ends belong to 2-5
 *   0:50        0 to 49, as in Python      0:500:5    every fifth; 10: and :50 leave an end open
 *
 * Thread: any. */
#ifndef IPP_CLIENT_RANGES_H
#define IPP_CLIENT_RANGES_H

#include <stddef.h>

struct ipp_error;

/* The numbers that `text` names, as a new array (gives; free()), ascending, each once.
 *   bound   they are below it
 *   option  where `text` stood, for messages: "--targets"
 *   noun    what they count, in the singular: "engine"
 * Returns 0, -EINVAL (not understood, none at all), -ERANGE (one not below `bound`) or -ENOMEM. */
int ranges_parse(size_t **out, size_t *n_out, const char *text, size_t bound, const char *option,
		 const char *noun, struct ipp_error *err);

/* The same in the order in which `text` names them. */
int ranges_in_order(size_t **out, size_t *n_out, const char *text, size_t bound, const char *option,
		    const char *noun, struct ipp_error *err);

#endif
