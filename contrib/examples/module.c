/* module.c - functions of one's own for slurm-ipp's engines.
 *
 *   cc -shared -fPIC -o module.so module.c $(pkg-config --cflags libipp)
 *   ipp-run map ./module.so:square ::: 1 2 3
 *   ipp-run map ./module.so:scale w=@w.npy 1:4
 *   ipp-run push x=@x.npy && ipp-run apply ./module.so:mean
 *   ipp-run map ./module.so:mean @x.npy */
#include <ipp/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

IPP_MODULE

/* The item, which is an integer in ranges, a text from the command line, and of an array what that
 * is of.  Numbers have a text, too. */
int square(struct ipp_call *call)
{
	const struct ipp_value *item = ipp_item(call);
	double number;

	if (item->kind == IPP_INTEGER)
		return ipp_return_integer(call, item->integer * item->integer);
	if (sscanf(item->text, "%lf", &number) == 1)
		return ipp_return_real(call, number * number);
	return ipp_fail_call(
		call,
		"square needs a number as its item: ipp-run map ./module.so:square ::: 1 2 3");
}

/* Of the item, where it is a row of an array, else of the variable x on this engine; read where it
 * lies: engines of one node share it. */
int mean(struct ipp_call *call)
{
	const struct ipp_value *item = ipp_item(call);
	const struct ipp_value *x = item->kind == IPP_ARRAY ? item : ipp_variable(call, "x");
	const double *data;
	double sum = 0;
	size_t n;

	if (!x)
		return ipp_fail_call(call, "there is no x here: ipp-run push x=@FILE.npy");
	if (x->kind != IPP_ARRAY || strcmp(x->dtype, "<f8") != 0)
		return ipp_fail_call(call, "x must be an array of doubles, <f8");
	data = x->data;
	n = x->bytes / sizeof(*data);
	for (size_t i = 0; i < n; i++)
		sum += data[i];
	return ipp_return_real(call, sum / (double)n);
}

/* The argument w times the item, element by element: an array comes back. */
int scale(struct ipp_call *call)
{
	const struct ipp_value *w = ipp_need_argument(call, "w", IPP_ARRAY, "<f8");
	struct ipp_value scaled;
	double *data;
	int rc;

	if (!w)
		return 1;
	data = malloc(w->bytes ? w->bytes : 1);
	if (!data)
		return ipp_fail_call(call, "out of memory");
	for (size_t i = 0; i < w->bytes / sizeof(*data); i++)
		data[i] = ((const double *)w->data)[i] * ipp_item(call)->real;
	scaled = *w;
	scaled.data = data;
	rc = ipp_return(call, &scaled); /* which copies it */
	free(data);
	return rc;
}
