/* What functions of modules may do, well or badly; tests/unit/native_test.c and tests/local/ run
 * them. */
#include <ipp/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

IPP_MODULE

ipp_function square, place, say, weigh, last_byte, long_text, matrix, sum, twice_said, complain,
	silent, nothing, count, crash, leave, hang, double_it, count_w, has_v, store_after_gate,
	store_badly, give_badly, itself, digits, await, row_sum, note_and_crash, say_empty;

int square(struct ipp_call *call)
{
	const int64_t i = ipp_item(call)->integer;

	return ipp_return_integer(call, i * i);
}

int place(struct ipp_call *call)
{
	return ipp_return_integer(call, (int64_t)ipp_index(call));
}

/* The argument "text" and the item. */
int say(struct ipp_call *call)
{
	const struct ipp_value *text = ipp_need_argument(call, "text", IPP_TEXT, NULL);
	char said[256] = "";
	struct ipp_value value = {.kind = IPP_TEXT, .text = said};

	if (!text)
		return 1;
	strncat(said, text->text, 100);
	if (ipp_item(call)->kind == IPP_TEXT)
		strncat(said, ipp_item(call)->text, 100);
	value.bytes = strlen(said);
	return ipp_return(call, &value);
}

/* The sum of the arguments "u" and "v", arrays, times the item. */
int weigh(struct ipp_call *call)
{
	const char *const names[] = {"u", "v"};
	double total = 0;

	for (size_t k = 0; k < 2; k++) {
		const struct ipp_value *array = ipp_need_argument(call, names[k], IPP_ARRAY, "<f8");

		if (!array)
			return 1;
		if ((uintptr_t)array->data % 8 != 0)
			return ipp_fail_call(call, "an argument is not in its place");
		for (size_t i = 0; i < array->bytes / sizeof(double); i++)
			total += ((const double *)array->data)[i];
	}
	return ipp_return_real(call, total * ipp_item(call)->real);
}

/* Of the item. */
int last_byte(struct ipp_call *call)
{
	const struct ipp_value *item = ipp_item(call);

	return ipp_return_integer(call, item->bytes ? item->text[item->bytes - 1] : -1);
}

/* The item. */
int itself(struct ipp_call *call)
{
	return ipp_return(call, ipp_item(call));
}

/* Opens the file that the item names, if any, and is what it is then: a fifo makes it wait. */
int await(struct ipp_call *call)
{
	const char *name = ipp_item(call)->text;
	FILE *file = *name ? fopen(name, "r") : NULL;

	if (file)
		fclose(file);
	return ipp_return(call, ipp_item(call));
}

/* Of the item, an array of <f8: its last bit tells in which order it was made.  It takes 20 ms. */
int row_sum(struct ipp_call *call)
{
	const struct ipp_value *row = ipp_item(call);
	double total = 0;

	usleep(20000);
	for (size_t i = 0; i < row->bytes / sizeof(double); i++)
		total = total * 1.0000001 + ((const double *)row->data)[i] / 3;
	return ipp_return_real(call, total);
}

/* The item's text. */
int digits(struct ipp_call *call)
{
	const char *text = ipp_item(call)->text;
	const struct ipp_value value = {.kind = IPP_TEXT, .text = text, .bytes = strlen(text)};

	return ipp_return(call, &value);
}

int long_text(struct ipp_call *call)
{
	const size_t bytes = 20 << 20;
	char *text = malloc(bytes);
	const struct ipp_value value = {.kind = IPP_TEXT, .text = text, .bytes = bytes};
	int rc;

	memset(text, 'x', bytes);
	rc = ipp_return(call, &value);
	free(text);
	return rc;
}

int matrix(struct ipp_call *call)
{
	const double data[6] = {1, 2, 3, 4, 5, 6};
	const uint64_t shape[2] = {2, 3};
	const struct ipp_value value = {.kind = IPP_ARRAY,
					.dtype = "<f8",
					.shape = shape,
					.n_dims = 2,
					.data = data,
					.bytes = sizeof(data)};

	return ipp_return(call, &value);
}

/* Of the variable "v". */
int sum(struct ipp_call *call)
{
	const struct ipp_value *v = ipp_variable(call, "v");
	double total = 0;

	if (!v)
		return ipp_fail_call(call, "there is no v");
	if (v->kind != IPP_ARRAY || strcmp(v->dtype, "<f8") != 0)
		return ipp_fail_call(call, "v is no array of doubles, <f8");
	for (size_t i = 0; i < v->bytes / sizeof(double); i++)
		total += ((const double *)v->data)[i];
	return ipp_return_real(call, total);
}

int twice_said(struct ipp_call *call)
{
	matrix(call);
	return ipp_return_real(call, 2.5);
}

int complain(struct ipp_call *call)
{
	return ipp_fail_call(call, "I will not");
}

int silent(struct ipp_call *call)
{
	(void)call;
	return 3;
}

int nothing(struct ipp_call *call)
{
	(void)call;
	return 0;
}

static void release(void *state)
{
	free(state);
	setenv("IPP_TEST_RELEASED", "yes", 1);
}

/* How many tasks of this call came before, on this worker. */
int count(struct ipp_call *call)
{
	void **state = ipp_state(call, release);

	if (!*state)
		*state = calloc(1, sizeof(int));
	return ipp_return_integer(call, (*(int *)*state)++);
}

/* At item 3. */
int crash(struct ipp_call *call)
{
	if (ipp_item(call)->text[0] == '3')
		raise(SIGSEGV);
	return 0;
}

/* Adds a line to the file "ran", and crashes at item 3. */
int note_and_crash(struct ipp_call *call)
{
	FILE *ran = fopen("ran", "a");

	fprintf(ran, "%s\n", ipp_item(call)->text);
	fclose(ran);
	if (strcmp(ipp_item(call)->text, "3") == 0)
		raise(SIGSEGV);
	return ipp_return(call, ipp_item(call));
}

/* Prints the item, and returns an array without items. */
int say_empty(struct ipp_call *call)
{
	const uint64_t shape[] = {0};
	const struct ipp_value value = {
		.kind = IPP_ARRAY, .dtype = "<f8", .shape = shape, .n_dims = 1};

	printf("%s", ipp_item(call)->text);
	return ipp_return(call, &value);
}

int leave(struct ipp_call *call)
{
	(void)call;
	exit(9);
}

/* At item "hang"; else the item's place. */
int hang(struct ipp_call *call)
{
	while (ipp_item(call)->text[0] == 'h')
		pause();
	return place(call);
}

/* Variable "v" times two becomes variable "w". */
int double_it(struct ipp_call *call)
{
	const struct ipp_value *v = ipp_variable(call, "v");
	struct ipp_value w;
	double *data;
	int rc;

	if (!v || v->kind != IPP_ARRAY)
		return ipp_fail_call(call, "there is no v");
	data = malloc(v->bytes);
	for (size_t i = 0; i < v->bytes / sizeof(*data); i++)
		data[i] = 2 * ((const double *)v->data)[i];
	w = *v;
	w.data = data;
	rc = ipp_store(call, "w", &w);
	free(data);
	return rc;
}

int count_w(struct ipp_call *call)
{
	const struct ipp_value *w = ipp_variable(call, "w");

	return ipp_return_integer(call, w ? (int64_t)w->shape[0] : -1);
}

int has_v(struct ipp_call *call)
{
	return ipp_return_integer(call, ipp_variable(call, "v") != NULL);
}

/* Makes a file "waiting", waits until somebody writes to the fifo "gate", and sets w to 42; both
 * are in $HOME. */
int store_after_gate(struct ipp_call *call)
{
	const struct ipp_value w = {.kind = IPP_INTEGER, .integer = 42};
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/waiting", getenv("HOME"));
	file = fopen(path, "w");
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "%s/gate", getenv("HOME"));
	file = fopen(path, "r");
	if (!file)
		return ipp_fail_call(call, "there is no gate");
	fgetc(file);
	fclose(file);
	return ipp_store(call, "w", &w);
}

/* A name that is none. */
int store_badly(struct ipp_call *call)
{
	const struct ipp_value w = {.kind = IPP_INTEGER, .integer = 1};

	return ipp_store(call, "w w", &w);
}

/* What no function should give; the item's place says which. */
int give_badly(struct ipp_call *call)
{
	static const double one;
	static const uint64_t shape[] = {1000};
	static const struct ipp_value bad[] = {
		{.kind = IPP_ARRAY,
		 .dtype = "<f8",
		 .shape = shape,
		 .n_dims = 1,
		 .data = &one,
		 .bytes = 8},
		{.kind = IPP_ARRAY,
		 .dtype = "double",
		 .shape = shape,
		 .n_dims = 1,
		 .data = &one,
		 .bytes = 8},
		{.kind = IPP_ARRAY, .shape = shape, .n_dims = 1, .data = &one, .bytes = 8},
		{.kind = IPP_ARRAY, .dtype = "<f8", .n_dims = 1, .data = &one, .bytes = 8},
		{.kind = IPP_ARRAY, .dtype = "<f8", .shape = shape, .n_dims = 1, .bytes = 8000},
		{.kind = IPP_ARRAY,
		 .dtype = "<f8",
		 .shape = shape,
		 .n_dims = 65,
		 .data = &one,
		 .bytes = 8},
		{.kind = IPP_TEXT, .text = "a\0b", .bytes = 3},
		{.kind = IPP_TEXT, .bytes = 3},
		{.kind = (enum ipp_kind)99},
	};
	const size_t i = (size_t)ipp_index(call);

	if (i == sizeof(bad) / sizeof(bad[0]))
		return ipp_fail_call(call, NULL);
	ipp_return(call, &bad[i]);
	return 0; /* as one that does not look at what ipp_return() gave */
}
