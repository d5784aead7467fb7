#include "client/ipp/client.h"

int ipp_run(struct ipp_client *client, const struct ipp_run *run, struct ipp_error *err)
{
	struct ipp_request *request = NULL;
	int rc = ipp_submit(client, run, &request, err);

	if (rc == 0)
		rc = ipp_wait(request, -1, err);
	ipp_request_free(request); /* which cancels it after an interruption */
	return rc;
}
