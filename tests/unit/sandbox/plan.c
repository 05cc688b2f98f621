/* Plans: what a spec may say, and what is refused before anything is fetched. */
#include "sandbox/plan.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *spec, struct plan *plan, struct err *err)
{
	int r = plan_add_spec(plan, spec, strlen(spec), err);

	return r < 0 ? r : plan_finish(plan, PLAN_AUTO, err);
}

/* @spec is refused, in words that hold @words. */
static void refused(const char *spec, const char *words)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_expect_lt(parse(spec, &plan, &err), 0, "accepted: %s", spec);
	cr_expect(strstr(err.msg, words), "%s: \"%s\" does not say \"%s\"", spec, err.msg, words);
}

/* An item with the output_file @name, as JSON writes it, is refused. */
static void name_refused(const char *name, const char *words)
{
	CLEANUP(str_freep)
	char *spec = str_printf("[{\"value\": \"https://h/x\", \"output_file\": \"%s\"}]", name);

	refused(spec, "item 1: output_file");
	refused(spec, words);
}

Test(plan, a_list_of_items_is_taken_with_all_its_fields)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;
	const char *spec =
		"[{\"value\": \"https://h/a/tool\", \"output_file\": \"bin/t\", \"executable\": "
		"true,"
		"  \"cache\": false, \"extract\": false, \"mode\": \"0750\", \"method\": \"copy\"},"
		" {\"value\": \"https://h/b.tgz\", \"extract\": null, \"icon\": [1]}]";

	cr_assert_eq(parse(spec, &plan, &err), 0, "%s", err.msg);
	cr_assert_eq(plan.count, 2);
	cr_expect_str_eq(plan.items[0].uri, "https://h/a/tool");
	cr_expect_str_eq(plan.items[0].name, "bin/t");
	cr_expect(plan.items[0].executable);
	cr_expect_eq(plan.items[0].mode, 0750);
	cr_expect_eq(plan.items[0].method, PLAN_COPY);
	cr_expect_str_eq(plan.items[1].name, "b.tgz");
	cr_expect_eq(plan.items[1].mode, -1);
	cr_expect_not(plan.items[1].executable);
}

Test(plan, an_absolute_path_is_a_file_and_its_bytes_are_kept)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(plan_add_uri(&plan, "/srv/a b#?%41\xff", false, &err), 0, "%s", err.msg);
	cr_assert_eq(parse("[{\"value\": \"/srv/x\"}]", &plan, &err), 0, "%s", err.msg);
	cr_expect_str_eq(plan.items[0].shown, "file:///srv/a%20b%23%3F%2541%FF");
	cr_expect_str_eq(plan.items[0].name, "a b#?%41\xff");
	cr_expect_str_eq(plan.items[1].shown, "file:///srv/x");
	refused("[{\"value\": \"srv/x\"}]", "item 1: value: ");
	refused("[{\"value\": \"./x\"}]", "say its absolute path");
}

Test(plan, an_object_may_name_the_user)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(parse("{\"user\": \"nobody\", \"uris\": [{\"value\": \"http:\\/\\/h\\/a\"}]}",
			     &plan, &err),
		0, "%s", err.msg);
	cr_expect_str_eq(plan.user, "nobody");
	cr_expect_str_eq(plan.items[0].uri, "http://h/a");
}

Test(plan, the_method_of_the_call_is_for_items_that_name_none)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;
	const char *spec = "[{\"value\": \"http://h/a\"},"
			   " {\"value\": \"http://h/b\", \"method\": \"auto\"}]";

	cr_assert_eq(plan_add_spec(&plan, spec, strlen(spec), &err), 0, "%s", err.msg);
	cr_assert_eq(plan_finish(&plan, PLAN_COPY, &err), 0);
	cr_expect_eq(plan.items[0].method, PLAN_COPY);
	cr_expect_eq(plan.items[1].method, PLAN_AUTO);
}

Test(plan, names_that_lead_out_of_the_directory_are_refused)
{
	name_refused("", "is empty");
	name_refused("/etc/passwd", "begins with '/'");
	name_refused("..", "\"..\"");
	name_refused("../x", "\"..\"");
	name_refused("a/../../x", "\"..\"");
	name_refused("a/..", "\"..\"");
	name_refused(".", "\".\"");
	name_refused("a//b", "empty segment");
	name_refused("a/", "empty segment");
	name_refused("a\\u0000b", "NUL");
	name_refused("a\\u001b[2J", "control character");
}

Test(plan, moves_into_a_folder_that_obeys_the_same_rules)
{
	static const char *const wrong[] = {"/a", "..", "a/..", "a//b", "a/", "."};
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(plan_add_uri(&plan, "http://h/x", false, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(plan_move(&plan, wrong[i], &err), -EINVAL, "%s", wrong[i]);
	cr_expect_str_eq(plan.items[0].name, "x");
	cr_assert_eq(plan_move(&plan, "", &err), 0);
	cr_expect_str_eq(plan.items[0].name, "x");
	cr_assert_eq(plan_move(&plan, "opt/data", &err), 0);
	cr_expect_str_eq(plan.items[0].name, "opt/data/x");
}

Test(plan, names_that_are_too_long_or_deep_are_refused)
{
	char name[PLAN_NAME_MAX + 2] = "";

	memset(name, 'x', 256);
	name_refused(name, "longer than 255");
	memset(name, 'x', PLAN_NAME_MAX + 1);
	name_refused(name, "longer than 1024");
	for (size_t i = 0; i < 2 * PLAN_DEPTH_MAX; i += 2)
		memcpy(name + i, "a/", 2);
	strcpy(name + 2 * PLAN_DEPTH_MAX, "a");
	name_refused(name, "more than 32 segments");
}

Test(plan, wrong_types_name_the_item_and_the_field)
{
	refused("[{\"value\": \"http://h/a\"}, {\"value\": 7}]", "item 2: value");
	refused("[{}]", "item 1: value: is missing");
	refused("[[]]", "item 1: must be an object");
	refused("[{\"value\": \"http://h/a\", \"executable\": \"yes\"}]", "item 1: executable");
	refused("[{\"value\": \"http://h/a\", \"output_file\": 1}]", "item 1: output_file");
	refused("[{\"value\": \"http://h/a\", \"cache\": 0}]", "item 1: cache");
	refused("[{\"value\": \"http://h/a\", \"mode\": 420}]", "item 1: mode");
	refused("[{\"value\": \"http://h/a\", \"mode\": \"4755\"}]", "item 1: mode");
	refused("[{\"value\": \"http://h/a\", \"mode\": \"rw\"}]", "item 1: mode");
	refused("[{\"value\": \"http://h/a\", \"method\": \"magic\"}]", "item 1: method");
	refused("[{\"value\": \"http://h/a\", \"digest\": \"md5:00\"}]", "item 1: digest");
	refused("[{\"value\": \"http://h/a\", \"mode\": \"600\", \"method\": \"hardlink\"}]",
		"item 1: mode");
	refused("{\"user\": 3, \"uris\": []}", "user");
}

Test(plan, what_is_no_spec_at_all_is_refused)
{
	refused("", "spec: line");
	refused("[", "spec: line 1");
	refused("{}", "spec: neither");
	refused("\"http://h/a\"", "spec:");
	refused("{\"uris\": {}}", "spec: neither");
	refused("[{\"value\": \"http://h/a\"}] trailing", "spec: line 1");
	refused("[{\"value\": \"a\", \"value\": \"b\"}]", "spec: line 1");
	refused("[{\"value\": \"no uri\"}]", "item 1: value");
}

Test(plan, archives_are_unpacked_unless_they_are_to_be_executed)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;
	const char *spec = "[{\"value\": \"http://h/a.tgz\", \"extract\": true},"
			   " {\"value\": \"http://h/b.gz\", \"extract\": true, \"executable\": "
			   "true},"
			   " {\"value\": \"http://g/a.tgz\", \"extract\": true},"
			   " {\"value\": \"http://h/c.tgz\", \"extract\": true, \"output_file\": "
			   "\"c\"}]";

	/* two archives of one name: what is in them has others */
	cr_assert_eq(parse(spec, &plan, &err), 0, "%s", err.msg);
	cr_expect(plan_is_open(&plan.items[0]));
	cr_expect_not(plan.items[1].extract);
	cr_expect(plan.items[3].extract && !plan_is_open(&plan.items[3]));
	refused("[{\"value\": \"http://h/a\", \"extract\": true, \"mode\": \"0600\"}]", "mode: ");
	refused("[{\"value\": \"http://h/a\", \"extract\": \"yes\"}]", "item 1: extract: ");
	refused("[{\"value\": \"http://h/a\", \"extract\": true, \"output_file\": \"a\"},"
		" {\"value\": \"http://h/b\", \"output_file\": \"a/b\"}]",
		"a is a file for one item and a folder for another");
}

Test(plan, a_name_is_followed_by_what_is_in_it)
{
	cr_expect_lt(plan_compare_names("a/b", "a-b"), 0);
	cr_expect_lt(plan_compare_names("a", "a/b"), 0);
	cr_expect_eq(plan_compare_names("a/b", "a/b"), 0);
	cr_expect_eq(plan_clash("a", "a"), PLAN_SAME);
	cr_expect_eq(plan_clash("a", "a/b"), PLAN_WITHIN);
	cr_expect_eq(plan_clash("a", "ab"), PLAN_APART);
}

Test(plan, two_items_cannot_have_one_name)
{
	refused("[{\"value\": \"http://h/a\"}, {\"value\": \"http://g/a\"}]",
		"two items are named a");
	refused("[{\"value\": \"http://h/x\", \"output_file\": \"a\"},"
		" {\"value\": \"http://h/y\", \"output_file\": \"a-b\"},"
		" {\"value\": \"http://h/z\", \"output_file\": \"a/b\"}]",
		"a is a file for one item and a folder for another");
}

Test(plan, a_uri_without_a_last_segment_needs_a_name)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_expect_lt(plan_add_uri(&plan, "http://h/dir/", false, &err), 0);
	cr_expect(strstr(err.msg, "output_file"), "%s", err.msg);
	cr_expect_eq(plan.count, 0);
}

Test(plan, a_secret_in_a_uri_is_not_shown)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(plan_add_uri(&plan, "http://me:secret@h/a?token=secret", false, &err), 0);
	cr_expect_not(strstr(plan.items[0].shown, "secret"), "%s", plan.items[0].shown);
}

Test(plan, a_spec_has_a_limit_of_items)
{
	CLEANUP(plan_release) struct plan plan = {0};
	struct err err = ERR_INIT;
	char *spec = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&spec, &len);

	for (int i = 0; i <= PLAN_ITEMS_MAX; i++)
		fprintf(out, "%c{\"value\": \"http://h/%d\"}", i ? ',' : '[', i);
	fputc(']', out);
	fclose(out);
	cr_expect_eq(plan_add_spec(&plan, spec, len, &err), -E2BIG);
	free(spec);
}
