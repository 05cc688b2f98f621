/* Listings of FTP servers: facts, Unix, DOS, whole and in pieces, and what is none. */
#include "backends/ftp_list.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	char text[1024]; /* "name," or "name/," each */
	int answer;      /* of the visitor */
};

static int note(const char *name, bool is_folder, void *arg, struct err *err)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s%s,", name, is_folder ? "/" : "");
	return seen->answer ? err_set(err, ERR_REMOTE, seen->answer, "enough") : 0;
}

static int read_in_steps(
	const char *text, size_t len, size_t step, struct seen *seen, struct err *err)
{
	struct ftp_list *list = calloc(1, sizeof(*list));
	int r = 0;

	cr_assert_not_null(list);
	*list = (struct ftp_list){.visit = note, .arg = seen, .folder = "/pub/here/"};
	for (size_t at = 0; r == 0 && at < len; at += step)
		r = ftp_list_feed(list, text + at, len - at < step ? len - at : step, err);
	if (r == 0)
		r = ftp_list_end(list, err);
	free(list);
	return r;
}

static void check(const char *text, size_t len, const char *expected)
{
	static const size_t steps[] = {1, 7, 100, 1 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct seen seen = {.text = ""};
		struct err err = ERR_INIT;

		cr_assert_eq(read_in_steps(text, len, steps[i], &seen, &err), 0, "%s", err.msg);
		cr_assert_str_eq(seen.text, expected);
	}
}

#define CHECK(text, expected) check(text, sizeof(text) - 1, expected)

Test(ftp_list, facts_say_what_is_a_folder)
{
	CHECK("type=file;size=1;modify=20200101000000; a b\r\nType=DIR; d\r\ntype=cdir; .\r\n"
	      "type=pdir; ..\r\ntype=pdir; above\r\nsize=7; no type\r\ntype=file;  lead\r\n"
	      "type=OS.unix=symlink; link\r\ntype=OS.unix=chr-1/3; device\r\ntype=file; no end",
		"a b,d/,no type, lead,link,no end,");
}

Test(ftp_list, unix_lines_of_several_servers)
{
	CHECK("total 12\r\n"
	      "drwxr-xr-x    2 0        0            4096 Jan  1 12:00 d\r\n"
	      "-rw-r--r--    1 me       my group       7 Feb 29  2024 a  b \r\n"
	      "-rw-r--r--    1 1000 7 31 Dec 2019 day first\n"
	      "-rw-r--r-- 1 o g 7 2020-01-31 12:00 iso\n"
	      "-rw-r--r--@ 1 o g 7 Jan 31 9:05 marked\n"
	      "prw-r--r-- 1 o g 7 Jan 31 09:05 pipe\n"
	      "srwxrwxrwx 1 o g 0 Jan 31 09:05 socket\n"
	      "crw-rw-rw- 1 o g 1, 3 Jan 31 09:05 null\n"
	      "-rw-r--r-- 1 o g 7 Jan 31 09:05  lead\n"
	      "-rw-r--r-- 1 o g 7 Jan 31 09:05 Jan 31 09:06 x\n",
		"d/,a  b ,day first,iso,marked, lead,Jan 31 09:06 x,");
}

Test(ftp_list, links_end_at_their_arrow_and_lead_not_back)
{
	CHECK("lrwxrwxrwx 1 o g 6 Jan 31 09:05 l -> target\n"
	      "lrwxrwxrwx 1 o g 1 Jan 31 09:05 a -> b -> c\n"
	      "lrwxrwxrwx 1 o g 1 Jan 31 09:05 itself -> .\n"
	      "lrwxrwxrwx 1 o g 5 Jan 31 09:05 up -> ../..\n"
	      "lrwxrwxrwx 1 o g 1 Jan 31 09:05 root -> /\n"
	      "lrwxrwxrwx 1 o g 4 Jan 31 09:05 above -> /pub\n"
	      "lrwxrwxrwx 1 o g 10 Jan 31 09:05 here -> /pub/here/\n"
	      "lrwxrwxrwx 1 o g 8 Jan 31 09:05 beside -> /pub/her\n"
	      "lrwxrwxrwx 1 o g 7 Jan 31 09:05 out -> ../away\n",
		"l,a -> b,beside,out,");
	CHECK("type=OS.unix=slink:.; itself\ntype=OS.unix=slink:x; l\n", "l,");
}

Test(ftp_list, dos_lines)
{
	CHECK("01-31-20  12:00PM       <DIR>          Program Files\r\n"
	      "01-31-2020  01:00AM              1234 a b.txt\r\n",
		"Program Files/,a b.txt,");
}

Test(ftp_list, what_is_no_name_is_left_out)
{
	CHECK("type=file; a/b\ntype=file; /etc/passwd\ntype=file; ..\ntype=file; .\ntype=file; \n"
	      "type=file; nul\0x\ntype=file; bell\a\ntype=file; del\x7f\ntype=file; ok\n"
	      "drwxr-xr-x 2 o g 1 Jan 31 09:05 ..\ndrwxr-xr-x 2 o g 1 Jan 31 09:05 a/b\n"
	      "-rw-r--r-- 1 o g 1 Jan 31 09:05 nul\0x\n"
	      "-rw-r--r-- 1 o g 1 Jan 31 09:05 \n-rw-r--r-- 1 o g 1 Jan 31 09:05\n",
		"ok,");
}

Test(ftp_list, lines_that_are_too_long_are_passed_over)
{
	size_t size = 3 * FTP_LIST_LINE;
	char *text = malloc(size + 64);
	int len = sprintf(text, "type=file; a\ntype=file; ");

	cr_assert_not_null(text);
	memset(text + len, 'x', size);
	strcpy(text + len + size, "\ntype=file; b\n");
	check(text, len + size + strlen("\ntype=file; b\n"), "a,b,");
	free(text);
}

Test(ftp_list, of_no_known_form_is_an_error_and_an_empty_one_is_none)
{
	static const char page[] = "<html>\r\n<a href=x>x</a>\r\n";
	struct seen seen = {.text = ""};
	struct err err = ERR_INIT;

	cr_assert_eq(read_in_steps(page, sizeof(page) - 1, 5, &seen, &err), -ENOTDIR);
	cr_assert_str_eq(seen.text, "");
	CHECK("", "");
	CHECK("total 0\r\n", "");
	CHECK("\r\n\r\n", "");
	/* some words of the server's beside names */
	CHECK("Welcome to pub\r\ntype=file; a\r\n", "a,");
}

Test(ftp_list, ends_with_the_answer_of_the_visitor)
{
	static const char two[] = "type=file; a\ntype=file; b\n";
	struct seen seen = {.answer = EFBIG};
	struct err err = ERR_INIT;

	cr_assert_eq(read_in_steps(two, sizeof(two) - 1, 1000, &seen, &err), -EFBIG);
	cr_assert_str_eq(seen.text, "a,");
	cr_assert_str_eq(err.msg, "enough");
}

Test(ftp_list, random_bytes_are_survived)
{
	char text[2048];
	unsigned int seed = 1;

	for (unsigned int round = 0; round < 2000; round++) {
		struct seen seen = {.text = ""};
		static const char letters[] = "-dl rwx;=/.\n\r\0>1249:JanFeb<DIR>typefile";

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = letters[rand_r(&seed) % sizeof(letters)];
		(void)read_in_steps(text, sizeof(text), 1 + round % 300, &seen, NULL);
		cr_assert_null(strchr(seen.text, '\n'));
	}
}
