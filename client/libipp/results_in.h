/* client/libipp/results_in.h - results of a request, from their arrival until they are taken.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_RESULTS_IN_H
#define IPP_CLIENT_LIBIPP_RESULTS_IN_H

#include <stdint.h>

struct arrival;
struct ipp_request;

/* Some came (borrows; takes users of it).  The request may be over then. */
void results_in_store(struct ipp_request *request, struct arrival *arrival);

/* Call the owner for what there is, if it wants to be called. */
void results_in_report(struct ipp_request *request);

/* The owner knows the result of `index`, and its turn has come: tell it so.  0, or -ECANCELED when
 * it wants no more. */
int results_in_known(struct ipp_request *request, uint64_t index);

void results_in_fini(struct ipp_request *request);

#endif
