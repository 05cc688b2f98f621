#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, set_returns_the_negative_code_and_keeps_the_text)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_set(&err, ERR_SYSTEM, ENOENT, "open %s: %m", "x"), -ENOENT);
	cr_assert_eq(err.code, ENOENT);
	cr_assert_eq(err.kind, ERR_SYSTEM);
	cr_assert_not(err.retry);
	cr_assert_str_eq(err.msg, "open x: No such file or directory");
}

Test(err, nobody_needs_to_look)
{
	cr_assert_eq(err_set(NULL, ERR_SYSTEM, ENOENT, "x"), -ENOENT);
	cr_assert_eq(err_set_retry(NULL, ERR_NETWORK, EIO, 3, "x"), -EIO);
	cr_assert_lt(err_context(NULL, "x"), 0);
	cr_assert_eq(err_oom(NULL), -ENOMEM);
}

Test(err, an_error_never_looks_like_success)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_set(&err, ERR_SYSTEM, 0, "x"), -EIO);
	cr_assert_eq(err.code, EIO);
}

Test(err, retry_is_kept_by_context)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_set_retry(&err, ERR_REMOTE, EIO, 7, "503"), -EIO);
	cr_assert_eq(err_context(&err, "fetch %s", "u"), -EIO);
	cr_assert(err.retry);
	cr_assert_eq(err.retry_after, 7);
	cr_assert_str_eq(err.msg, "fetch u: 503");
}

Test(err, a_long_text_is_cut)
{
	static char text[2 * ERR_TEXT_MAX];
	struct err err = ERR_INIT;

	memset(text, 'a', sizeof(text) - 1);
	err_set(&err, ERR_USAGE, EINVAL, "%s", text);
	cr_assert_eq(strlen(err.msg), ERR_TEXT_MAX - 1);
	cr_assert_eq(err_context(&err, "%s", text), -EINVAL);
	cr_assert_eq(strlen(err.msg), ERR_TEXT_MAX - 1);
}

Test(err, a_text_is_one_line_that_no_terminal_obeys)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_REMOTE, EIO, "said %s", "\x1b[2J\r\n\x7f");
	cr_assert_str_eq(err.msg, "said ?[2J???");
	err_context(&err, "gr\xc3\xbc\xc3\x9f\n");
	cr_assert_str_eq(err.msg, "gr\xc3\xbc\xc3\x9f?: said ?[2J???");
}

Test(err, every_kind_has_a_name)
{
	cr_assert_str_eq(err_kind_name(ERR_NONE), "none");
	cr_assert_str_eq(err_kind_name(ERR_CANCELLED), "cancelled");
	cr_assert_str_eq(err_kind_name((enum err_kind)99), "unknown");
}

Test(err, who_may_have_no_more_space_is_told_that_there_is_none)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_set(&err, ERR_SYSTEM, EDQUOT, "write: %m"), -ENOSPC);
	cr_assert_eq(err.code, ENOSPC);
	cr_assert_eq(err.kind, ERR_SPACE);
	cr_assert_str_eq(err.msg, "write: Disk quota exceeded");
	cr_assert_eq(err_set(&err, ERR_SYSTEM, ENOSPC, "write"), -ENOSPC);
	cr_assert_eq(err.kind, ERR_SPACE);
	cr_assert_eq(err_set(NULL, ERR_SYSTEM, EDQUOT, "write"), -ENOSPC);
}
