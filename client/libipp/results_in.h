/* client/libipp/results_in.h - results of a request, from their arrival until they are taken.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_RESULTS_IN_H
#define IPP_CLIENT_LIBIPP_RESULTS_IN_H

struct arrival;
struct ipp_request;

/* Some came (borrows; takes users of it).  The request may be over then. */
void results_in_store(struct ipp_request *request, struct arrival *arrival);

/* Call the owner for what there is, if it wants to be called. */
void results_in_report(struct ipp_request *request);

void results_in_fini(struct ipp_request *request);

#endif
