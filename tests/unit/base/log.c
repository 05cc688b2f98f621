#include "base/log.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <stdio.h>

Test(log, a_line_is_tamed_and_errno_is_kept, .init = cr_redirect_stderr)
{
	log_setup(LOG_LEVEL_INFO, LOG_TO_STDERR);
	errno = ENOENT;
	log_info("open %s: %m", "a\nb\033[2J");
	cr_assert_eq(errno, ENOENT);
	log_debug("unseen");
	log_error("%s", "seen");
	cr_assert_stderr_eq_str(
		"fetchfs: open a?b?[2J: No such file or directory\nfetchfs: seen\n");
}
