#include "proto/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "proto/error.h"

static const char magic[4] = {'I', 'P', 'P', '\n'};

void frame_encode(const struct frame_header *header, uint8_t out[FRAME_HEADER_BYTES])
{
	const uint16_t version = htole16(FRAME_VERSION);
	const uint16_t type = htole16(header->type);
	const uint32_t head_bytes = htole32(header->head_bytes);
	const uint32_t flags = htole32(header->flags);
	const uint64_t payload_bytes = htole64(header->payload_bytes);

	memcpy(out, magic, sizeof(magic));
	memcpy(out + 4, &version, sizeof(version));
	memcpy(out + 6, &type, sizeof(type));
	memcpy(out + 8, &head_bytes, sizeof(head_bytes));
	memcpy(out + 12, &flags, sizeof(flags));
	memcpy(out + 16, &payload_bytes, sizeof(payload_bytes));
}

int frame_decode(struct frame_header *out, const uint8_t in[FRAME_HEADER_BYTES],
		 struct ipp_error *err)
{
	struct frame_header header;
	uint16_t version;

	if (memcmp(in, magic, sizeof(magic)) != 0)
		return ipp_fail(err, EPROTO,
				"slurm-ipp: the peer does not speak slurm-ipp's protocol");
	memcpy(&version, in + 4, sizeof(version));
	memcpy(&header.type, in + 6, sizeof(header.type));
	memcpy(&header.head_bytes, in + 8, sizeof(header.head_bytes));
	memcpy(&header.flags, in + 12, sizeof(header.flags));
	memcpy(&header.payload_bytes, in + 16, sizeof(header.payload_bytes));
	version = le16toh(version);
	header.type = le16toh(header.type);
	header.head_bytes = le32toh(header.head_bytes);
	header.flags = le32toh(header.flags);
	header.payload_bytes = le64toh(header.payload_bytes);
	if (version != FRAME_VERSION)
		return ipp_fail(
			err, EPROTO,
			"slurm-ipp: the peer speaks protocol version %u, this program version %u; "
			"install the same slurm-ipp on all nodes",
			version, FRAME_VERSION);
	if (header.type == 0 || header.type >= FRAME_TYPES)
		return ipp_fail(err, EPROTO, "slurm-ipp: the peer sent a frame of unknown type %u",
				header.type);
	if (header.head_bytes > FRAME_HEAD_MAX || header.payload_bytes > FRAME_PAYLOAD_MAX ||
	    (header.flags & ~FRAME_DESCRIPTOR))
		return ipp_fail(err, EPROTO, "slurm-ipp: the peer sent a %s frame past its bounds",
				frame_name(header.type));
	*out = header;
	return 0;
}

const char *frame_name(unsigned type)
{
	static const char *const names[FRAME_TYPES] = {
		[FRAME_HELLO] = "HELLO",       [FRAME_WELCOME] = "WELCOME",
		[FRAME_REFUSE] = "REFUSE",     [FRAME_GOODBYE] = "GOODBYE",
		[FRAME_NOTICE] = "NOTICE",     [FRAME_ROSTER] = "ROSTER",
		[FRAME_PUSH] = "PUSH",	       [FRAME_DONE] = "DONE",
		[FRAME_CALL] = "CALL",	       [FRAME_TASKS] = "TASKS",
		[FRAME_END] = "END",	       [FRAME_RESULTS] = "RESULTS",
		[FRAME_CANCEL] = "CANCEL",     [FRAME_CLOSE] = "CLOSE",
		[FRAME_STOP] = "STOP",	       [FRAME_READY] = "READY",
		[FRAME_PULL] = "PULL",	       [FRAME_REMOVE] = "REMOVE",
		[FRAME_LIST] = "LIST",	       [FRAME_ENOUGH] = "ENOUGH",
		[FRAME_ENDED] = "ENDED",       [FRAME_FETCH] = "FETCH",
		[FRAME_FINISHED] = "FINISHED", [FRAME_PROBE] = "PROBE",
		[FRAME_HEALTH] = "HEALTH",     [FRAME_STATUS] = "STATUS",
		[FRAME_REQUESTS] = "REQUESTS", [FRAME_SHARE] = "SHARE",
		[FRAME_DRAIN] = "DRAIN",       [FRAME_HOLD] = "HOLD",
		[FRAME_RECALL] = "RECALL",
	};

	return type > 0 && type < FRAME_TYPES ? names[type] : "unknown";
}
