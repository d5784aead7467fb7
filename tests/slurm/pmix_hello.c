/* pmix_hello.c - each rank says what rank 0 published: the name of rank 0's host. */
#include <pmix.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check(pmix_status_t status, const char *step)
{
	if (status != PMIX_SUCCESS) {
		fprintf(stderr, "%s: %s\n", step, PMIx_Error_string(status));
		exit(1);
	}
}

int main(void)
{
	pmix_proc_t me, first;
	pmix_value_t *heard;

	check(PMIx_Init(&me, NULL, 0), "PMIx_Init");
	if (me.rank == 0) {
		char host[256] = "";
		pmix_value_t value = {.type = PMIX_STRING, .data.string = host};

		gethostname(host, sizeof(host) - 1);
		check(PMIx_Put(PMIX_GLOBAL, "host", &value), "PMIx_Put");
		check(PMIx_Commit(), "PMIx_Commit");
	}
	check(PMIx_Fence(NULL, 0, NULL, 0), "PMIx_Fence");

	PMIX_PROC_LOAD(&first, me.nspace, 0);
	check(PMIx_Get(&first, "host", NULL, 0, &heard), "PMIx_Get");
	printf("%u hears %s\n", me.rank, heard->data.string);
	PMIX_VALUE_RELEASE(heard);
	check(PMIx_Finalize(NULL, 0), "PMIx_Finalize");
	return 0;
}
