/* client/tutorial.h - the tutorial's data, as NumPy makes it:
 *
 *   np.random.seed(0)
 *   X = np.random.normal(0, 1, (n, p))
 *   Y = X[:,0] + np.sqrt(abs(X[:,1] * X[:,2])) + X[:,1] - X[:,2] + np.random.normal(0, 1, n)
 *
 * Reference: NumPy's legacy RandomState, which promises never to change its stream: MT19937
 * (Matsumoto and Nishimura 1998) and Marsaglia's polar method.  The data is NumPy's to the bit
 * where the C library's log() is the one NumPy ran with, and to 1e-12 anywhere.  Thread: any. */
#ifndef IPP_CLIENT_TUTORIAL_H
#define IPP_CLIENT_TUTORIAL_H

#include <stddef.h>

struct ipp_error;
struct table;

/* Fill *out with n rows of p features; the tutorial has 500 and 50.  -EINVAL when n is 0 or p below
 * 3, the features that Y is made of, or -ENOMEM. */
int tutorial_table(struct table *out, size_t n, size_t p, struct ipp_error *err);

#endif
