#include "controller/kept_results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/descriptors.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/spill.h"

struct kept_frame {
	uint8_t *head; /* with room for what is added behind it */
	size_t head_bytes;
	struct blob *payload;
};

/* Room for the number of a fetch and `heads`: a byte each that says which field it is, and a varint
 * and a byte. */
#define ADDED_BYTES 13

/* What stands before each frame in the file. */
struct lengths {
	uint64_t head, payload;
};

struct kept_results {
	size_t *memory_bytes; /* of all */
	size_t own_bytes;
	struct kept_frame *frames;
	size_t n_frames, room;
	int fd; /* -1: nothing is in a file */
	off_t file_bytes;
};

struct kept_results *kept_results_new(size_t *memory_bytes)
{
	struct kept_results *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	kept->memory_bytes = memory_bytes;
	kept->fd = -1;
	return kept;
}

void kept_results_free(struct kept_results *kept)
{
	if (!kept)
		return;
	for (size_t i = 0; i < kept->n_frames; i++) {
		free(kept->frames[i].head);
		blob_unref(kept->frames[i].payload);
	}
	*kept->memory_bytes -= kept->own_bytes;
	if (kept->fd >= 0)
		close(kept->fd);
	free(kept->frames);
	free(kept);
}

/* ---- in ---- */

static int cannot_keep(struct ipp_error *err)
{
	if (errno == EMFILE)
		return ipp_fail(err, EMFILE,
				"the controller has no descriptor left for a file with results; "
				"give results that are needed no more back with ipp-run result "
				"--forget, or raise its limit (ulimit -Hn)");
	return ipp_fail(err, errno,
			"the controller cannot keep results in %.200s: %m; set TMPDIR to a folder "
			"with room for them",
			spill_folder());
}

static int keep_in_memory(struct kept_results *kept, const struct frame *frame, size_t bytes)
{
	struct kept_frame *one;

	if (kept->n_frames == kept->room) {
		const size_t room = 2 * kept->room + 8;
		struct kept_frame *frames = realloc(kept->frames, room * sizeof(*frames));

		if (!frames)
			return -ENOMEM;
		kept->frames = frames;
		kept->room = room;
	}
	one = &kept->frames[kept->n_frames];
	*one = (struct kept_frame){.head = malloc(frame->head_bytes + ADDED_BYTES),
				   .head_bytes = frame->head_bytes};
	if (!one->head)
		return -ENOMEM;
	memcpy(one->head, frame->head, frame->head_bytes);
	one->payload = blob_ref(frame->payload);
	kept->n_frames++;
	kept->own_bytes += bytes;
	*kept->memory_bytes += bytes;
	return 0;
}

/* Others need descriptors too. */
static int open_file(void)
{
	const int fd = spill_open();

	if (fd < 0 || descriptors_allow(DESCRIPTORS_FILES, fd))
		return fd;
	close(fd);
	errno = EMFILE;
	return -1;
}

static int keep_in_file(struct kept_results *kept, const struct frame *frame, struct ipp_error *err)
{
	const struct lengths lengths = {frame->head_bytes,
					frame->payload ? frame->payload->bytes : 0};
	const off_t head_at = kept->file_bytes + (off_t)sizeof(lengths);
	const off_t payload_at = head_at + (off_t)lengths.head;

	if (kept->fd < 0)
		kept->fd = open_file();
	if (kept->fd < 0)
		return cannot_keep(err);
	if (!spill_write(kept->fd, &lengths, sizeof(lengths), kept->file_bytes) ||
	    !spill_write(kept->fd, frame->head, lengths.head, head_at) ||
	    (lengths.payload > 0 &&
	     !spill_write(kept->fd, frame->payload->data, lengths.payload, payload_at)))
		return cannot_keep(err);
	kept->file_bytes = payload_at + (off_t)lengths.payload;
	return 0;
}

/* Once in the file, always in the file, for the order's sake. */
int kept_results_add(struct kept_results *kept, const struct frame *frame, struct ipp_error *err)
{
	const size_t bytes = sizeof(struct kept_frame) + frame->head_bytes +
			     (frame->payload ? frame->payload->bytes : 0);

	if (kept->fd < 0 && *kept->memory_bytes + bytes <= KEPT_MEMORY_MAX) {
		if (keep_in_memory(kept, frame, bytes) < 0)
			return ipp_fail(err, ENOMEM, "the controller is out of memory");
		return 0;
	}
	return keep_in_file(kept, frame, err);
}

/* ---- out ---- */

struct kept_place kept_results_end(const struct kept_results *kept)
{
	return (struct kept_place){.frame = kept->n_frames, .offset = kept->file_bytes};
}

bool kept_place_before(const struct kept_place *a, const struct kept_place *b)
{
	return a->frame < b->frame || a->offset < b->offset;
}

/* A field that is put behind a packed message is one of its fields. */
static void forward(struct link *link, uint8_t *head, size_t head_bytes, uint64_t fetch, bool heads,
		    struct blob *payload)
{
	Ipp__Results added = IPP__RESULTS__INIT;

	added.fetch = fetch;
	added.heads = heads;
	head_bytes += ipp__results__pack(&added, head + head_bytes);
	link_forward(link, FRAME_RESULTS, head, head_bytes, heads ? NULL : payload);
}

static int send_from_file(const struct kept_results *kept, off_t *offset, struct link *link,
			  uint64_t fetch, bool heads, struct ipp_error *err)
{
	struct lengths lengths = {0, 0};
	struct blob *payload = NULL;
	uint8_t *head = NULL;
	off_t at = *offset;
	bool whole;

	whole = spill_read(kept->fd, &lengths, sizeof(lengths), at);
	at += (off_t)sizeof(lengths);
	head = whole ? malloc(lengths.head + ADDED_BYTES) : NULL;
	whole = head && spill_read(kept->fd, head, lengths.head, at);
	at += (off_t)lengths.head;
	if (whole && lengths.payload > 0 && !heads) {
		payload = blob_new(lengths.payload);
		whole = payload && spill_read(kept->fd, payload->data, lengths.payload, at) &&
			blob_seal(payload, err) == 0;
	}
	if (whole) {
		forward(link, head, lengths.head, fetch, heads, payload);
		*offset = at + (off_t)lengths.payload;
	}
	blob_unref(payload);
	free(head);
	return whole ? 0
		     : ipp_fail(err, EIO, "the controller cannot read back the results it kept");
}

int kept_results_send(const struct kept_results *kept, struct kept_place *place, struct link *link,
		      uint64_t fetch, bool heads, struct ipp_error *err)
{
	const struct kept_frame *frame = &kept->frames[place->frame];

	if (place->frame == kept->n_frames)
		return send_from_file(kept, &place->offset, link, fetch, heads, err);
	forward(link, frame->head, frame->head_bytes, fetch, heads, frame->payload);
	place->frame++;
	return 0;
}
