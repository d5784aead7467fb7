/* Templates of commands: what goes where, by GNU parallel's rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/template.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

static struct ipp_error err;

/* Fill `template` and compare; both end with NULL. */
static void assert_fills(const struct template_task *task, const char *const *template,
			 const char *const *expected)
{
	char **words = NULL;
	size_t n = 0;

	while (template[n])
		n++;
	assert_int_equal(template_fill(&words, (char *const *)template, n, task, &err), 0);
	for (n = 0; expected[n]; n++) {
		assert_non_null(words[n]);
		assert_string_equal(words[n], expected[n]);
	}
	assert_null(words[n]);
	template_free(words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct template_task item(const char *text)
{
	return (struct template_task){
		.item = text, .item_bytes = strlen(text), .n_values = 1, .index = 6, .engine = 2};
}

static void assert_becomes(const char *text, const char *word, const char *expected)
{
	const struct template_task task = item(text);

	assert_fills(&task, WORDS("w", word), WORDS("w", expected));
}

static void braces_are_the_item(void **state)
{
	(void)state;
	assert_becomes("a b", "x{}y{}", "xa bya b");
	assert_becomes("", "<{}>", "<>");
	assert_becomes("new\nline", "{}", "new\nline");
	assert_becomes("{#}", "{}", "{#}");
}

static void without_a_place_the_item_comes_last(void **state)
{
	const struct template_task task = item("i");

	(void)state;
	assert_fills(&task, WORDS("echo", "{", "}", "{a}"), WORDS("echo", "{", "}", "{a}", "i"));
	assert_fills(&task, WORDS("echo", "{#}"), WORDS("echo", "7"));
}

static void a_dot_takes_the_extension_off(void **state)
{
	(void)state;
	assert_becomes("d.x/a.tar.gz", "{.}", "d.x/a.tar");
	assert_becomes("d.x/a", "{.}", "d.x/a");
	assert_becomes("a.", "{.}", "a");
	assert_becomes(".bashrc", "{.}", "");
}

static void a_slash_takes_the_folders_off(void **state)
{
	(void)state;
	assert_becomes("d/e/a.gz", "{/}", "a.gz");
	assert_becomes("d/e/", "{/}", "");
	assert_becomes("d/e/a.tar.gz", "{/.}", "a.tar");
	assert_becomes("d.x/a", "{/.}", "a");
}

static void two_slashes_leave_the_folder(void **state)
{
	(void)state;
	assert_becomes("d/e/a.gz", "{//}", "d/e");
	assert_becomes("a.gz", "{//}", ".");
	assert_becomes("/a", "{//}", "/");
	assert_becomes("//a", "{//}", "/");
	assert_becomes("a/b/", "{//}", "a");
	assert_becomes("a//b", "{//}", "a");
	assert_becomes("/", "{//}", "/");
	assert_becomes("", "{//}", ".");
}

static void number_and_slot_count_from_one(void **state)
{
	(void)state;
	assert_becomes("i", "{#}.{%}.{}", "7.3.i");
}

static void several_values_are_named_by_number(void **state)
{
	const struct template_task task = {.item = "a.x\0d/b.y", .item_bytes = 9, .n_values = 2};

	(void)state;
	assert_fills(&task, WORDS("{1}-{2}", "{2.}", "{2/}", "{2//}", "{2/.}", "{3}"),
		     WORDS("a.x-d/b.y", "d/b", "b.y", "d", "b", "{3}"));
	assert_fills(&task, WORDS("c", "{}", "<{}>", "{.}"),
		     WORDS("c", "a.x", "d/b.y", "<a.x d/b.y>", "a d/b"));
	assert_fills(&task, WORDS("c"), WORDS("c", "a.x", "d/b.y"));
}

static void what_is_no_place_stays(void **state)
{
	(void)state;
	assert_becomes("i", "{0}{2}{1x}{}", "{0}{2}{1x}i");
	assert_becomes("i", "{}{99999999999999999999}{", "i{99999999999999999999}{");
	assert_becomes("i", "{{}}", "{i}");
}

static void a_word_no_command_can_be_given_is_refused(void **state)
{
	char *text = malloc(TEMPLATE_WORD_MAX + 2);
	const char *word = "{}";
	char **words = NULL;
	struct template_task task;

	(void)state;
	memset(text, 'x', TEMPLATE_WORD_MAX + 1);
	text[TEMPLATE_WORD_MAX] = '\0';
	task = item(text);
	assert_int_equal(template_fill(&words, (char *const *)&word, 1, &task, &err), 0);
	template_free(words);
	text[TEMPLATE_WORD_MAX] = 'x';
	text[TEMPLATE_WORD_MAX + 1] = '\0';
	task = item(text);
	assert_int_equal(template_fill(&words, (char *const *)&word, 1, &task, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 131071 bytes"));
	word = "{/.}{#}"; /* what is not used may be as long as it likes */
	task.item_bytes = 3;
	assert_int_equal(template_fill(&words, (char *const *)&word, 1, &task, &err), 0);
	template_free(words);
	free(text);
}

static void an_item_of_another_number_of_values_is_refused(void **state)
{
	struct template_task task = {.item = "a\0b", .item_bytes = 3, .n_values = 1};
	const char *word = "{#}";
	char **words = NULL;

	(void)state;
	assert_int_equal(template_fill(&words, (char *const *)&word, 1, &task, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a NUL byte is in the item"));
	task.n_values = 3;
	assert_int_equal(template_fill(&words, (char *const *)&word, 1, &task, &err), -EINVAL);
	task.n_values = 1000;
	assert_int_equal(template_fill(&words, (char *const *)&word, 1, &task, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(braces_are_the_item),
		cmocka_unit_test(without_a_place_the_item_comes_last),
		cmocka_unit_test(a_dot_takes_the_extension_off),
		cmocka_unit_test(a_slash_takes_the_folders_off),
		cmocka_unit_test(two_slashes_leave_the_folder),
		cmocka_unit_test(number_and_slot_count_from_one),
		cmocka_unit_test(several_values_are_named_by_number),
		cmocka_unit_test(what_is_no_place_stays),
		cmocka_unit_test(a_word_no_command_can_be_given_is_refused),
		cmocka_unit_test(an_item_of_another_number_of_values_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
