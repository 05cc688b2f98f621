/* What is understood of a host and a port without libcurl is what libcurl understands. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* What libcurl says of @text: "HOST PORT", or NULL when it is none or we want none such. */
static char *reference(const char *text)
{
	CURLU *url = curl_url();
	char *host = NULL;
	char *port = NULL;
	char *ret = NULL;

	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS) ==
			CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		curl_url_get(url, CURLUPART_PORT, &port, 0);
		ret = str_printf("%s %s", host, port && !str_equal(port, "443") ? port : "");
		for (char *p = ret; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		if (strcspn(host, "_~!$&'()*+,;=%") != strlen(host) || !*host)
			str_freep(&ret);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(url);
	return ret;
}

static void compare(const char *authority)
{
	CLEANUP(str_freep) char *text = str_printf("https://%s/", authority);
	CLEANUP(str_freep) char *expected = reference(text);
	CLEANUP(str_freep) char *is = NULL;
	CLEANUP(uri_release) struct uri uri = {.text = NULL};

	if (uri_parse(text, &uri, NULL) == 0)
		is = str_printf("%s %s", uri.host, uri.port ? uri.port : "");
	cr_assert(str_equal(is, expected), "%s: '%s', and libcurl: '%s'", authority,
		is ? is : "(none)", expected ? expected : "(none)");
}

Test(uri_authority, plain_ones_are_what_libcurl_makes_of_them)
{
	static const char *const cases[] = {"example.org", "EXAMPLE.org:8080", "a", "a.", ".a",
		"a..b", "-a", "127.0.0.1", "127.0.0.1:1", "1.2.3", "1.2.3.4.5", "0127.0.0.1",
		"0x7f.1", "0x7f000001", "2130706433", "1.2.3.256", "1.2.3.4.", "1.2.3.4.a",
		"a.1.2.3", "0xg", "1a", "a1", "a.0x7f", "0a.b", "a:0", "a:00080", "a:65535",
		"a:65536", "a:", "a:443", "a:80", "a:1x", "a:-1", "a:+1", "a: 1", ":80", ".", "..",
		"4294967296", "1e3", "08.1.1.1", "xn--bcher-kva.example"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		compare(cases[i]);
}

Test(uri_authority, of_any_text_the_same_is_understood)
{
	static const char alphabet[] = "aAfFxX0123789..--:";
	unsigned int seed = 20261127;

	for (int i = 0; i < 200000; i++) {
		char text[16];
		size_t len = 1 + (size_t)rand_r(&seed) % (sizeof(text) - 1);

		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
		text[len] = '\0';
		compare(text);
	}
}
