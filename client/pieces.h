/* client/pieces.h - a file read piece by piece, each up to a separator, in bounded memory.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_PIECES_H
#define IPP_CLIENT_PIECES_H

#include <stdbool.h>
#include <stddef.h>

struct ipp_error;

struct pieces {
	const char *name; /* of the file, for messages (borrowed) */
	int fd;		  /* owned, unless it is 0 */
	char separator;	  /* not part of a piece; the last piece may lack it */
	size_t max;	  /* bytes a piece may have */
	char *bytes;
	size_t at, end, room;
	bool finished; /* the file's end was read */
	bool plain;    /* a file that can always be read at once */
};

/* Open `name`, "-" being stdin.  0, or -errno with what and why. */
int pieces_open(struct pieces *pieces, const char *name, char separator, size_t max,
		struct ipp_error *err);
void pieces_close(struct pieces *pieces);

/* The next piece (borrowed until the next call).  1; 0 at the end; -EAGAIN: it would have to be
 * waited for; -EMSGSIZE: it is longer than `max`; -errno of reading. */
int pieces_next(struct pieces *pieces, bool wait, const char **piece, size_t *bytes,
		struct ipp_error *err);

/* Begin again.  -ESPIPE: what is read once only, such as a pipe. */
int pieces_rewind(struct pieces *pieces, struct ipp_error *err);

#endif
