#include "base/library.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(library, one_that_is_not_there_is_an_error_that_names_it)
{
	static struct library none = LIBRARY_INIT("libfetchfs-none.so.0");
	struct err err = ERR_INIT;

	cr_assert_eq(library_load(&none, &err), -ELIBACC);
	cr_assert(strstr(err.msg, "libfetchfs-none.so.0"), "%s", err.msg);
	cr_assert_eq(library_load(&none, NULL), -ELIBACC);
	cr_assert_not(library_is_there(&none));
}

Test(library, functions_are_found_once_it_is_needed)
{
	static struct library libm = LIBRARY_INIT("libm.so.6");
	static _Atomic(void *) place;
	double (*function)(double) = library_function(&libm, &place, "cbrt");

	cr_assert_float_eq(function(27), 3, 1e-9);
	cr_assert_eq(library_function(&libm, &place, "cbrt"), (void *)function);
	cr_assert_eq(library_load(&libm, NULL), 0);
	cr_assert(library_is_there(&libm));
}

Test(library, it_is_there_whoever_has_loaded_it)
{
	static struct library libc = LIBRARY_INIT("libc.so.6");

	cr_assert(library_is_there(&libc));
}
