/* What stands in for libcurl; see library.h. */
#include "base/libcurl.h"

#include "base/library.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>

/* The parameters have our names, not those that this version of it has in its headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static struct library library = LIBRARY_INIT(FETCHFS_LIBCURL);

/* Later versions promise it. */
#if LIBCURL_VERSION_NUM >= CURL_VERSION_BITS(8, 0, 0)
#define READ_ONLY const
#else
#define READ_ONLY
#endif

#define FUNCTION(type, name, params, args) LIBRARY_FUNCTION(&library, type, name, params, args)

FUNCTION(CURLcode, curl_global_init, (long flags), (flags))
FUNCTION(void, curl_global_cleanup, (void), ())
FUNCTION(curl_version_info_data *, curl_version_info, (CURLversion age), (age))
/* Those that there are may be older than the one that the program was built with, but not older
 * than all that it needs. */
#define OLDEST CURL_VERSION_BITS(7, 87, 0)

int libcurl_load(struct err *err)
{
	int r = library_load(&library, err);

	if (r == 0 && curl_version_info(CURLVERSION_NOW)->version_num < OLDEST)
		return err_set(err, ERR_SYSTEM, ELIBACC, "load a library: libcurl %s is too old",
			curl_version_info(CURLVERSION_NOW)->version);
	return r;
}

FUNCTION(void, curl_free, (void *text), (text))
FUNCTION(time_t, curl_getdate, (const char *text, const time_t *unused), (text, unused))

FUNCTION(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text),
	(list, text))
FUNCTION(void, curl_slist_free_all, (struct curl_slist * list), (list))

FUNCTION(CURLU *, curl_url, (void), ())
FUNCTION(void, curl_url_cleanup, (CURLU * url), (url))
FUNCTION(CURLUcode, curl_url_get,
	(READ_ONLY CURLU * url, CURLUPart part, char **ret, unsigned int flags),
	(url, part, ret, flags))
FUNCTION(CURLUcode, curl_url_set,
	(CURLU * url, CURLUPart part, const char *text, unsigned int flags),
	(url, part, text, flags))
FUNCTION(const char *, curl_url_strerror, (CURLUcode code), (code))

FUNCTION(CURL *, curl_easy_init, (void), ())
FUNCTION(void, curl_easy_cleanup, (CURL * easy), (easy))
FUNCTION(void, curl_easy_reset, (CURL * easy), (easy))
FUNCTION(CURLcode, curl_easy_pause, (CURL * easy, int what), (easy, what))
FUNCTION(const char *, curl_easy_strerror, (CURLcode code), (code))

FUNCTION(CURLM *, curl_multi_init, (void), ())
FUNCTION(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))
FUNCTION(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *easy), (multi, easy))
FUNCTION(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL *easy), (multi, easy))
FUNCTION(CURLMcode, curl_multi_perform, (CURLM * multi, int *ret_running), (multi, ret_running))
FUNCTION(CURLMcode, curl_multi_poll,
	(CURLM * multi, struct curl_waitfd more[], unsigned int count, int ms, int *ret_ready),
	(multi, more, count, ms, ret_ready))
FUNCTION(CURLMcode, curl_multi_wakeup, (CURLM * multi), (multi))
FUNCTION(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *ret_left), (multi, ret_left))

/*
 * Those with three dots: the number of an option tells the type of its argument (CURLOPTTYPE_…).
 */
CURLcode(curl_easy_setopt)(CURL *easy, CURLoption option, ...)
{
	static _Atomic(void *) place;
	typeof(&(curl_easy_setopt)) function =
		library_function(&library, &place, "curl_easy_setopt");
	CURLcode code;
	va_list list;

	va_start(list, option);
	if (option < CURLOPTTYPE_OBJECTPOINT)
		code = function(easy, option, va_arg(list, long));
	else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
		code = function(easy, option, va_arg(list, curl_off_t));
	else
		code = function(easy, option, va_arg(list, void *));
	va_end(list);
	return code;
}

CURLMcode(curl_multi_setopt)(CURLM *multi, CURLMoption option, ...)
{
	static _Atomic(void *) place;
	typeof(&(curl_multi_setopt)) function =
		library_function(&library, &place, "curl_multi_setopt");
	CURLMcode code;
	va_list list;

	va_start(list, option);
	code = (int)option < CURLOPTTYPE_OBJECTPOINT
		       ? function(multi, option, va_arg(list, long))
		       : function(multi, option, va_arg(list, void *));
	va_end(list);
	return code;
}

CURLcode(curl_easy_getinfo)(CURL *easy, CURLINFO info, ...)
{
	static _Atomic(void *) place;
	typeof(&(curl_easy_getinfo)) function =
		library_function(&library, &place, "curl_easy_getinfo");
	CURLcode code;
	va_list list;

	va_start(list, info);
	code = function(easy, info, va_arg(list, void *));
	va_end(list);
	return code;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
