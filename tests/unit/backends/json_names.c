/* Listings in JSON, whole, in pieces, and what is none. */
#include "backends/json_names.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST                                                                                       \
	"\r\n[\r\n"                                                                                \
	"{ \"name\":\"one.txt\", \"type\":\"file\", \"mtime\":\"Fri, 27 Nov\", \"size\":3 },\r\n"  \
	"{ \"name\":\"sub\", \"type\":\"directory\", \"mtime\":\"x\" },\r\n"                       \
	"{ \"type\":\"file\", \"name\":\"q\\\"],[{}\\\\\" , \"more\": [[1, {\"a\":[]}], \"]\"]},"  \
	"{ \"name\":\"\303\204 \\u00c4\", \"type\":\"other\" },"                                   \
	"{ \"name\":\"\377\302 \\u20ac\", \"type\":\"file\" }\n]\n"

#define NAMES " one.txt sub/ q\"],[{}\\ \303\204 \303\204 \377\302 \342\202\254"

struct seen {
	char text[512];
	int answer; /* of the second name */
	int count;
};

static int note(const char *name, bool is_folder, void *arg, struct err *err)
{
	struct seen *seen = arg;

	strcat(seen->text, " ");
	strncat(seen->text, name, 100);
	strcat(seen->text, is_folder ? "/" : "");
	seen->count++;
	return seen->answer && seen->count == 2 ? err_set(err, ERR_REMOTE, seen->answer, "enough")
						: 0;
}

static int feed(const char *list, size_t len, size_t step, struct seen *seen, struct err *err)
{
	struct json_names *names;
	int r = json_names_new(note, seen, &names, err);

	cr_assert_eq(r, 0);
	for (size_t at = 0; r == 0 && at < len; at += step)
		r = json_names_feed(names, list + at, len - at < step ? len - at : step, err);
	if (r == 0)
		r = json_names_feed(names, "", 0, err);
	json_names_free(names);
	return r;
}

Test(json_names, are_the_same_however_the_list_is_cut)
{
	for (size_t step = 1; step <= sizeof(LIST); step += step < 20 ? 1 : 50) {
		struct seen seen = {.text = ""};

		cr_assert_eq(feed(LIST, strlen(LIST), step, &seen, NULL), 0);
		cr_assert_str_eq(seen.text, NAMES, "in steps of %zu: %s", step, seen.text);
	}
}

Test(json_names, end_with_the_answer_of_the_visitor)
{
	struct seen seen = {.answer = ENOSPC};
	struct err err = ERR_INIT;

	cr_assert_eq(feed(LIST, strlen(LIST), 1000, &seen, &err), -ENOSPC);
	cr_assert_str_eq(err.msg, "enough");
	cr_assert_eq(seen.count, 2);
}

Test(json_names, none_is_an_answer)
{
	struct seen seen = {.text = ""};

	cr_assert_eq(feed("[]", 2, 1, &seen, NULL), 0);
	cr_assert_eq(feed(" [ \r\n ] ", 8, 3, &seen, NULL), 0);
	cr_assert_eq(seen.count, 0);
}

Test(json_names, of_other_json_there_are_none)
{
	static const char *const lists[] = {"{}", "7", "[{}]", "[[]]", "[{\"name\":\"a\"}]",
		"[{\"name\":7,\"type\":\"file\"}]", "[{\"name\":\"a\",\"type\":null}]",
		"{\"name\":\"a\",\"type\":\"file\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct seen seen = {.text = ""};

		cr_assert_eq(feed(lists[i], strlen(lists[i]), 1000, &seen, NULL), -ENOTDIR, "%s",
			lists[i]);
		cr_assert_eq(seen.count, 0);
	}
}

Test(json_names, of_broken_json_there_are_none)
{
	static const char *const lists[] = {"", " ", "[", "[{", "[,]", "[}]", "[1]", "[\"a\"]",
		"[{\"name\":\"a\",\"type\":\"file\"}", "[{\"name\":\"a\",\"type\":\"file\"},]",
		"[]]", "[] x", "[{\"name\":\"\\u0000\",\"type\":\"file\"}]",
		"[{\"name\":\"a\nb\",\"type\":\"file\"}]", "[{\"name\":\"a,\"type\":\"file\"}]",
		"[{\"name\":\"\\ud800\",\"type\":\"file\"}]"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct seen seen = {.text = ""};
		struct err err = ERR_INIT;

		cr_assert_eq(feed(lists[i], strlen(lists[i]), 1000, &seen, &err), -EBADMSG, "%s",
			lists[i]);
	}
}

Test(json_names, an_item_has_an_end)
{
	static const char *const begins[] = {"[{\"name\":\"", "[[[[[[", "[{\"a\":"};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		size_t len = 1024 * 1024;
		CLEANUP(str_freep) char *list = malloc(len);
		struct seen seen = {.text = ""};

		memset(list, i == 1 ? '[' : '7', len);
		memcpy(list, begins[i], strlen(begins[i]));
		cr_assert_eq(feed(list, len, 4096, &seen, NULL), -EFBIG);
	}
}
