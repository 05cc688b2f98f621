#include "fetch/aws_profile.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void check(
	const char *text, const char *name, bool is_config, const char *key, const char *want)
{
	CLEANUP(str_freep) char *is = aws_profile_get(text, name, is_config, key);

	if (want)
		cr_assert_str_eq(is ? is : "(none)", want, "%s of %s in '%s'", key, name, text);
	else
		cr_assert_null(is, "%s of %s in '%s'", key, name, text);
}

Test(aws_profile, has_settings_of_one_line)
{
	static const char text[] = "# comment\n[default]\nk = v\n; other\n[me]\r\nk=  a b \r\nl =\n"
				   "m = x=y\n[you]\nk = z";

	check(text, "default", false, "k", "v");
	check(text, "me", false, "k", "a b");
	check(text, "me", false, "l", NULL);
	check(text, "me", false, "m", "x=y");
	check(text, "you", false, "k", "z");
	check(text, "you", false, "m", NULL);
	check(text, "nobody", false, "k", NULL);
	cr_assert(aws_profile_exists(text, "me", false));
	cr_assert_not(aws_profile_exists(text, "m", false));
}

Test(aws_profile, is_called_otherwise_in_the_configuration)
{
	static const char text[] =
		"[default]\nk = 0\n[profile me]\nk = 1\n[ profile  a b ]\nk = 2\n"
		"[you]\nk = 3\n[profile]\nk = 4\n[profileme]\nk = 5\n";

	check(text, "default", true, "k", "0");
	check(text, "me", true, "k", "1");
	check(text, "a b", true, "k", "2");
	check(text, "you", true, "k", NULL);
	check(text, "profile me", false, "k", "1");
}

Test(aws_profile, what_is_indented_is_another_settings)
{
	static const char text[] = "[me]\ns3 =\n  k = nested\n\tl = nested\n[me]\nk = again\n";

	check(text, "me", false, "k", "again");
	check(text, "me", false, "l", NULL);
}

Test(aws_profile, nonsense_holds_nothing)
{
	static const char *const texts[] = {"", "\n\n", "[", "[me", "]", "=", "[me]",
		"[me]\n=\n= v\nk", "[]\nk = v\n", "k = v\n[me]\n"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (int is_config = 0; is_config < 2; is_config++)
			check(texts[i], "me", is_config, "k", NULL);
}
