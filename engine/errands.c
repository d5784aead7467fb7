#include "engine/errands.h"

#include <errno.h>
#include <stdlib.h>

void errands_init(struct errands *errands)
{
	errands->first = NULL;
	errands->last = &errands->first;
}

int errands_add(struct errands *errands, struct slices *queue, uint16_t type, uint64_t request,
		uint64_t index, ProtobufCMessage *head, struct blob *payload)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	struct slice *slice = slice_new(request, NULL, index, index + 1);

	if (!errand || !slice) {
		protobuf_c_message_free_unpacked(head, NULL);
		if (slice)
			slice_free(slice);
		free(errand);
		return -ENOMEM;
	}
	*errand = (struct errand){.type = type,
				  .request = request,
				  .index = index,
				  .head = head,
				  .payload = blob_ref(payload)};
	*errands->last = errand;
	errands->last = &errand->next;
	slices_append(queue, slice);
	return 0;
}

struct errand *errands_due(const struct errands *errands, const struct slice *slice)
{
	struct errand *first = errands->first;

	return first && slice && first->request == slice->request && first->index == slice->from
		       ? first
		       : NULL;
}

struct errand *errands_pop(struct errands *errands)
{
	struct errand *errand = errands->first;

	errands->first = errand->next;
	if (!errands->first)
		errands->last = &errands->first;
	return errand;
}

void errand_free(struct errand *errand)
{
	protobuf_c_message_free_unpacked(errand->head, NULL);
	blob_unref(errand->payload);
	free(errand);
}

void errands_clear(struct errands *errands)
{
	while (errands->first)
		errand_free(errands_pop(errands));
}
