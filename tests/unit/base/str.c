#include "base/str.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

Test(str, stealing_leaves_nothing)
{
	CLEANUP(str_freep) char *s = str_printf("%d", 7);
	CLEANUP(str_freep) char *stolen = str_steal(&s);

	cr_assert_null(s);
	cr_assert_str_eq(stolen, "7");
}

Test(str, a_copy_of_nothing_is_nothing)
{
	CLEANUP(str_freep) char *copy = str_copy("a");

	cr_assert_null(str_copy(NULL));
	cr_assert_str_eq(copy, "a");
}

Test(str, fit_never_cuts)
{
	char buf[4] = "???";

	cr_assert(str_fit(buf, sizeof(buf), "abc"));
	cr_assert_str_eq(buf, "abc");
	cr_assert_not(str_fit(buf, sizeof(buf), "abcd"));
	cr_assert_str_eq(buf, "");
}

Test(str, cut_text_ends_in_an_ellipsis_and_in_no_half_character)
{
	char buf[8];

	str_cut(buf, sizeof(buf), "1234567");
	cr_assert_str_eq(buf, "1234567");
	str_cut(buf, sizeof(buf), "12345678");
	cr_assert_str_eq(buf, "1234…");
	str_cut(buf, sizeof(buf), "123äöü");
	cr_assert_str_eq(buf, "123…");
	str_cut(buf, 4, "12345678");
	cr_assert_str_eq(buf, "…");
	/* no UTF-8 at all */
	str_cut(buf, sizeof(buf), "\x80\x80\x80\x80\x80\x80\x80\x80");
	cr_assert_str_eq(buf, "…");
}

Test(str, plain_text_commands_no_terminal)
{
	char text[] = "a\tä\x1b[31m\x7f…\xc2\x9b\x9b\xff\xe6\x97";

	str_make_plain(text);
	cr_assert_str_eq(text, "a?ä?[31m?…??????");
}

Test(str, comparisons)
{
	cr_assert(str_equal(NULL, NULL));
	cr_assert_not(str_equal(NULL, ""));
	cr_assert(str_equal("a", "a"));
	cr_assert(str_has_prefix("abc", "ab"));
	cr_assert_not(str_has_prefix("a", "ab"));
	cr_assert(str_has_suffix("abc", "bc"));
	cr_assert_not(str_has_suffix("c", "bc"));
	cr_assert(str_has_suffix("abc", ""));
}

Test(str, hexadecimal_round_trips)
{
	const uint8_t bytes[] = {0x00, 0x9f, 0xff};
	uint8_t back[3];
	char hex[7];

	str_to_hex(bytes, sizeof(bytes), hex);
	cr_assert_str_eq(hex, "009fff");
	cr_assert(str_from_hex("009FfF", sizeof(back), back));
	cr_assert_arr_eq(back, bytes, sizeof(bytes));
	cr_assert_not(str_from_hex("009ff", sizeof(back), back));
	cr_assert_not(str_from_hex("009fff0", sizeof(back), back));
	cr_assert_not(str_from_hex("009fg0", sizeof(back), back));
}

Test(str, words_are_as_far_apart_as_slips_were_made)
{
	cr_assert_eq(str_distance("fetch", "fetch"), 0);
	cr_assert_eq(str_distance("fecth", "fetch"), 2);
	cr_assert_eq(str_distance("fech", "fetch"), 1);
	cr_assert_eq(str_distance("", "pin"), 3);
	cr_assert_eq(str_distance("unpin", "pin"), 2);
}

Test(str, of_very_long_words_only_the_beginning_counts)
{
	char long_word[1000];

	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	cr_assert_eq(str_distance(long_word, ""), STR_DISTANCE_MAX);
	cr_assert_eq(str_distance("", long_word), STR_DISTANCE_MAX);
}
