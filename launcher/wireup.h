/* launcher/wireup.h - exchange business cards by PMIx: the only file that knows PMIx.
 *
 * A rank that ends between PMIx_Init and PMIx_Finalize takes the whole step down, so the time
 * between is as short as it can be, and nothing else happens in it. */
#ifndef IPP_LAUNCHER_WIREUP_H
#define IPP_LAUNCHER_WIREUP_H

struct ipp_error;

struct wireup {
	unsigned rank, n_tasks;
	const char *card;      /* what we hand out (borrows) */
	long long deadline_ms; /* on clock_ms() */
	char **cards; /* result: rank 0 gets all of them, by rank, others rank 0's at [0] */
};

/* Fill wireup->cards (wireup_fini()).  All ranks must call it.
 * 0; -ENOTCONN when this step has no PMIx; -ETIMEDOUT when ranks are missing, in which case rank
 * 0's sentence names them and their nodes; -ECANCELED when that is rank 0's to say.  After a
 * failure the step must not be left hanging: wireup_abort(). */
int wireup_run(struct wireup *wireup, struct ipp_error *err);

void wireup_fini(struct wireup *wireup);

/* End all ranks of the step, also from a rank that has not come to wireup_run(); srun returns
 * EXIT_OURS. */
void wireup_abort(void) __attribute__((noreturn));

#endif
