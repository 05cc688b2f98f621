/* Whom a URI is about: [USER[:PASSWORD]@]HOST[:PORT]. */
#include "base/cleanup.h"
#include "base/libcurl.h"
#include "base/str.h"
#include "base/uri_private.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void url_cleanupp(CURLU **url)
{
	if (*url) /* else there may be no libcurl either */
		curl_url_cleanup(*url);
}

/* One part of @url, as libcurl understood it; NULL when the URI lacks it. */
static int get_part(CURLU *url, CURLUPart part, CURLUcode absent, char **ret, struct err *err)
{
	char *theirs = NULL;
	CURLUcode code = curl_url_get(url, part, &theirs, CURLU_URLDECODE);

	if (code == absent)
		return 0;
	if (code == CURLUE_OUT_OF_MEMORY)
		return err_oom(err);
	if (code != CURLUE_OK)
		return uri_malformed(err, curl_url_strerror(code));
	*ret = strdup(theirs);
	curl_free(theirs);
	return *ret ? 0 : err_oom(err);
}

/* "[" IPv6 "]" in its one spelling, as inet_ntop() has it. */
static int normalize_ipv6(char **host, struct err *err)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	char *bracketed;

	(*host)[strlen(*host) - 1] = '\0';
	if (inet_pton(AF_INET6, *host + 1, &address) != 1)
		return uri_malformed(err, "bad IPv6 address");
	inet_ntop(AF_INET6, &address, text, sizeof(text));

	bracketed = str_printf("[%s]", text);
	if (!bracketed)
		return err_oom(err);
	free(*host);
	*host = bracketed;
	return 0;
}

int uri_normalize_host(char **host, struct err *err)
{
	if (!*host || !**host)
		return uri_malformed(err, "no host");
	if (**host == '[')
		return normalize_ipv6(host, err);
	for (const char *p = *host; *p; p++)
		if (!uri_is_unreserved(*p))
			return uri_malformed(err, "bad character in the host");
	uri_lower(*host);
	return 0;
}

static const char *default_port(const char *scheme)
{
	static const struct {
		const char *scheme;
		const char *port;
	} defaults[] = {
		{"http", "80"},
		{"https", "443"},
		{"ftp", "21"},
		{"ftps", "990"},
		{"oci", "443"},
		{"hdfs", "8020"},
		{"webhdfs", "9870"},
		{"swebhdfs", "9871"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (str_equal(scheme, defaults[i].scheme))
			return defaults[i].port;
	return NULL;
}

static bool is_empty(const char *s)
{
	return !s || !*s;
}

static int take(const char *start, size_t len, char **ret, struct err *err)
{
	*ret = strndup(start, len);
	return *ret ? 0 : err_oom(err);
}

/* A port that is a plain number, or none. */
static bool is_plain_port(const char *port, size_t len)
{
	if (len == 0 || len > 5 || port[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!uri_is_digit(port[i]))
			return false;
	return strtoul(port, NULL, 10) <= UINT16_MAX;
}

/* A name, of which a label does not begin like a number, or four numbers as everybody writes them.
 */
static bool is_plain_host(const char *host, size_t len)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;
	bool is_name = false;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!uri_is_alnum(host[i]) && host[i] != '-' && host[i] != '.')
			return false;
		is_name = is_name || ((i == 0 || host[i - 1] == '.') && uri_is_alpha(host[i]));
	}
	if (is_name)
		return true;
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return inet_pton(AF_INET, text, &address) == 1;
}

/*
 * HOST[:PORT] that nobody could take for anything else. 1: done. It is what libcurl would say,
 * which need not be loaded for it (and a test compares them).
 */
static int parse_plain(const char *authority, size_t len, struct uri *uri, struct err *err)
{
	const char *colon = memchr(authority, ':', len);
	size_t host = colon ? (size_t)(colon - authority) : len;
	int r;

	if (!is_plain_host(authority, host))
		return 0;
	if (colon && !is_plain_port(colon + 1, len - host - 1))
		return 0;
	r = take(authority, host, &uri->host, err);
	if (r == 0 && colon)
		r = take(colon + 1, len - host - 1, &uri->port, err);
	return r < 0 ? r : 1;
}

/* All else goes through libcurl: there a second opinion would be dangerous. */
static int parse_any(const char *authority, size_t len, struct uri *uri, struct err *err)
{
	CLEANUP(url_cleanupp) CURLU *url = NULL;
	CLEANUP(str_freep) char *zone = NULL;
	CLEANUP(str_freep) char *head = str_printf("%s://%.*s/", uri->scheme, (int)len, authority);
	CURLUcode code;
	int r = libcurl_load(err);

	if (r < 0)
		return r;
	url = curl_url();
	if (!url || !head)
		return err_oom(err);
	code = curl_url_set(url, CURLUPART_URL, head, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
	if (code != CURLUE_OK)
		return uri_malformed(err, curl_url_strerror(code));

	if ((r = get_part(url, CURLUPART_HOST, CURLUE_NO_HOST, &uri->host, err)) < 0 ||
		(r = get_part(url, CURLUPART_PORT, CURLUE_NO_PORT, &uri->port, err)) < 0 ||
		(r = get_part(url, CURLUPART_USER, CURLUE_NO_USER, &uri->user, err)) < 0 ||
		(r = get_part(url, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD, &uri->password, err)) <
			0 ||
		(r = get_part(url, CURLUPART_ZONEID, CURLUE_NO_ZONEID, &zone, err)) < 0)
		return r;
	return zone ? uri_malformed(err, "an IPv6 zone has no meaning here") : 0;
}

int uri_parse_authority(const char *authority, size_t len, struct uri *uri, struct err *err)
{
	int r;

	if (len == 0) /* libcurl would take the first segment of the path */
		return uri_malformed(err, "no host");
	r = parse_plain(authority, len, uri, err);
	if (r == 0)
		r = parse_any(authority, len, uri, err);
	if (r < 0)
		return r;
	if (str_equal(uri->port, default_port(uri->scheme)))
		str_freep(&uri->port);
	if (is_empty(uri->user) && is_empty(uri->password)) {
		str_freep(&uri->user);
		str_freep(&uri->password);
	}
	return uri_normalize_host(&uri->host, err);
}
