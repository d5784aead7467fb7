/* proto/frame.h - the fixed header of every frame, and the types there are.
 *
 * A frame is a header, a protobuf head and raw payload bytes.  The header, little-endian:
 *   0 magic "IPP\n"   4 version u16   6 type u16   8 head bytes u32   12 flags u32   16 payload
 * bytes u64 With FRAME_DESCRIPTOR the payload is not on the stream but in a sealed memfd that came
 * with the header (SCM_RIGHTS).  Thread: any. */
#ifndef IPP_PROTO_FRAME_H
#define IPP_PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct ipp_error;

#define FRAME_VERSION 1
#define FRAME_HEADER_BYTES 24
#define FRAME_HEAD_MAX (16u << 20) /* a head describes; what is large goes in the payload */
#define FRAME_CALL_HEAD_MAX (FRAME_HEAD_MAX - 4096) /* a client's: controllers add to it */
#define FRAME_PAYLOAD_MAX (UINT64_C(1) << 44)
#define FRAME_DESCRIPTOR 1u /* flag */

/* Where several things share a payload, arrays begin at multiples of this, so that they can be used
 * where they are. */
#define ARRAY_ALIGNMENT 8

static inline size_t array_padding(size_t offset)
{
	return -offset % ARRAY_ALIGNMENT;
}

enum frame_type {		   /* head (proto/ipp.proto) */
		  FRAME_HELLO = 1, /* Hello */
		  FRAME_WELCOME,   /* Welcome */
		  FRAME_REFUSE,	   /* Refuse */
		  FRAME_GOODBYE,   /* Goodbye */
		  FRAME_NOTICE,	   /* Notice */
		  FRAME_ROSTER,	   /* Roster */
		  FRAME_PUSH,	   /* Push */
		  FRAME_DONE,	   /* Done */
		  FRAME_CALL,	   /* Call */
		  FRAME_TASKS,	   /* Tasks */
		  FRAME_END,	   /* End */
		  FRAME_RESULTS,   /* Results */
		  FRAME_CANCEL,	   /* Cancel */
		  FRAME_CLOSE,	   /* Close */
		  FRAME_STOP,	   /* no head: the client asks the cluster to end */
		  FRAME_READY,	   /* no head: the worker is up, to its engine */
		  FRAME_PULL,	   /* Pull */
		  FRAME_REMOVE,	   /* Remove */
		  FRAME_LIST,	   /* List */
		  FRAME_ENOUGH,	   /* Enough */
		  FRAME_ENDED,	   /* Ended */
		  FRAME_FETCH,	   /* Fetch */
		  FRAME_FINISHED,  /* Finished */
		  FRAME_PROBE,	   /* no head: how are you? */
		  FRAME_HEALTH,	   /* Health */
		  FRAME_STATUS,	   /* Status; no head from the client */
		  FRAME_REQUESTS,  /* Requests; no head from the client */
		  FRAME_SHARE,	   /* Share */
		  FRAME_DRAIN,	   /* Drain */
		  FRAME_HOLD,	   /* no head: the engine to its worker, which says it back */
		  FRAME_RECALL,	   /* Recall */
		  FRAME_TYPES
};

struct frame_header {
	uint16_t type;
	uint32_t head_bytes;
	uint32_t flags;
	uint64_t payload_bytes;
};

void frame_encode(const struct frame_header *header, uint8_t out[FRAME_HEADER_BYTES]);

/* -EPROTO: not ours, of another version (both are named), an unknown type, or a length past its
 * bound; nothing has been allocated for it then. */
int frame_decode(struct frame_header *out, const uint8_t in[FRAME_HEADER_BYTES],
		 struct ipp_error *err);

/* "RESULTS", for messages. */
const char *frame_name(unsigned type);

#endif
