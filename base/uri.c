#include "base/uri.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SCHEME_MAX  40 /* as libcurl has it */
#define SUB_DELIMS  "!$&'()*+,;="
#define PATH_MARKS  SUB_DELIMS ":@/"
#define QUERY_MARKS PATH_MARKS "?"

/* A run of bytes of the text being parsed. */
struct span {
	const char *start; /* NULL: absent */
	size_t len;
};

/* scheme "://" authority path ["?" query] ["#" fragment] */
struct parts {
	struct span scheme;
	struct span authority;
	struct span path;
	struct span query;
	struct span fragment;
};

static bool is_control(char c)
{
	return (c >= 0 && c < ' ') || c == 0x7f;
}

int uri_malformed(struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, EINVAL, "malformed URI: %s", why);
}

/* The length of a scheme at the start of @text, 0: none. It is followed by ':'. */
static size_t scheme_length(const char *text)
{
	size_t len = 0;

	if (!uri_is_alpha(text[0]))
		return 0;
	while (uri_is_alnum(text[len]) || (text[len] && strchr("+-.", text[len])))
		len++;
	return len <= SCHEME_MAX && text[len] == ':' ? len : 0;
}

static int split(const char *text, struct parts *ret, struct err *err)
{
	struct parts parts = {0};
	const char *p = text;

	parts.scheme = (struct span){text, scheme_length(text)};
	p += parts.scheme.len;
	if (parts.scheme.len == 0 || !str_has_prefix(p, "://"))
		return uri_malformed(err, "it does not begin with SCHEME://");
	p += strlen("://");

	parts.authority = (struct span){p, strcspn(p, "/?#")};
	p += parts.authority.len;
	parts.path = (struct span){p, strcspn(p, "?#")};
	p += parts.path.len;
	if (*p == '?') {
		p++;
		parts.query = (struct span){p, strcspn(p, "#")};
		p += parts.query.len;
	}
	if (*p == '#')
		parts.fragment = (struct span){p + 1, strlen(p + 1)};
	*ret = parts;
	return 0;
}

static int check_bytes(const char *text, const struct parts *parts, struct err *err)
{
	for (const char *p = text; *p; p++)
		if (is_control(*p))
			return uri_malformed(err, "it holds a control character");
	for (size_t i = 0; i < parts->authority.len; i++) {
		char c = parts->authority.start[i];

		if (c == ' ' || c == '\\')
			return uri_malformed(err, "blank or backslash in the host");
		if ((unsigned char)c >= 0x80)
			return uri_malformed(err, "the host is not ASCII (write it as xn--…)");
	}
	return 0;
}

static int hex_pair(const char *s, size_t left)
{
	char pair[3] = "";
	unsigned char value;

	if (left < 2)
		return -1;
	memcpy(pair, s, 2);
	return str_from_hex(pair, 1, &value) ? value : -1;
}

/*
 * @span in canonical spelling; besides unreserved characters those in @marks stay as they are.
 * @one: escaped or not they are the same, and so are not escaped.
 */
static char *respell(struct span span, const char *marks, bool one)
{
	static const char digits[] = "0123456789ABCDEF";
	char *ret = malloc(3 * span.len + 1);
	char *out = ret;

	if (!ret)
		return NULL;
	for (size_t i = 0; i < span.len; i++) {
		char c = span.start[i];
		int escaped = c == '%' ? hex_pair(span.start + i + 1, span.len - i - 1) : -1;
		bool plain = uri_is_unreserved(c) || strchr(marks, c);

		if (escaped >= 0) {
			c = (char)escaped;
			plain = uri_is_unreserved(c) || (one && c && strchr(marks, c));
			i += 2;
		}
		if (plain) {
			*out++ = c;
		} else {
			*out++ = '%';
			*out++ = digits[(unsigned char)c >> 4];
			*out++ = digits[(unsigned char)c & 15];
		}
	}
	*out = '\0';
	return ret;
}

/* Take "." and ".." out of @path, which begins with '/' (RFC 3986, 5.2.4). */
static void remove_dot_segments(char *path)
{
	const char *in = path;
	char *out = path;

	while (*in) {
		size_t len = 1 + strcspn(in + 1, "/");
		bool up = len == 3 && memcmp(in, "/..", 3) == 0;

		if (up || (len == 2 && in[1] == '.')) {
			while (up && out > path && *--out != '/')
				continue;
			if (!in[len])
				*out++ = '/';
		} else {
			memmove(out, in, len);
			out += len;
		}
		in += len;
	}
	*out = '\0';
}

/* Hadoop has a name for each client that it ever had for S3: one object, one key, one section. */
static bool is_s3(const char *scheme)
{
	return str_equal(scheme, "s3") || str_equal(scheme, "s3a") || str_equal(scheme, "s3n");
}

/* Whose names are what the path decodes to. */
static bool has_one_spelling(const char *scheme)
{
	return str_equal(scheme, "s3") || str_equal(scheme, "oci") ||
	       str_has_suffix(scheme, "hdfs");
}

/* The host of s3 is the name of a bucket, which may look like an address and never is one. */
static int take_bucket(const struct parts *parts, struct uri *uri, struct err *err)
{
	const char *authority = parts->authority.start;
	size_t len = parts->authority.len;
	const char *at = memrchr(authority, '@', len);
	size_t start = at ? (size_t)(at + 1 - authority) : 0;

	if (uri->port || memchr(authority + start, ':', len - start))
		return uri_malformed(err, "a bucket has no port");
	free(uri->host);
	uri->host = strndup(authority + start, len - start);
	return uri->host ? uri_normalize_host(&uri->host, err) : err_oom(err);
}

/* file: nobody is asked, so the host can only be this one (RFC 8089). */
static int parse_file_authority(const struct parts *parts, struct uri *uri, struct err *err)
{
	static const char localhost[] = "localhost";
	const struct span *host = &parts->authority;

	if (host->len > 0 && (host->len != strlen(localhost) ||
				     strncasecmp(host->start, localhost, host->len) != 0))
		return uri_malformed(err, "a file has no host but localhost");
	uri->host = strdup("");
	return uri->host ? 0 : err_oom(err);
}

static int parse_tail(const struct parts *parts, struct uri *uri, struct err *err)
{
	bool one = has_one_spelling(uri->scheme);

	uri->path = parts->path.len > 0 ? respell(parts->path, PATH_MARKS, one) : strdup("/");
	if (!uri->path)
		return err_oom(err);
	remove_dot_segments(uri->path);

	if (parts->query.start) {
		uri->query = respell(parts->query, QUERY_MARKS, false);
		if (!uri->query)
			return err_oom(err);
	}
	return 0;
}

/* "sha256=HEX", "sha512:HEX", alone or among others, as pip writes them: "egg=x&sha256=HEX". */
static int parse_fragment(struct span fragment, struct uri *uri, struct err *err)
{
	CLEANUP(str_freep) char *text = fragment.start ? strdup(fragment.start) : NULL;
	const char *unknown = NULL;
	char *rest = text;
	const char *part;

	if (fragment.start && !text)
		return err_oom(err);
	while ((part = strsep(&rest, "&"))) {
		size_t len = strcspn(part, ":=");
		struct checksum checksum;
		int r;

		if (!part[len] || !checksum_is_kind_like(part, len))
			continue;
		if (checksum_kind_find(part, len) == CHECKSUM_NONE) {
			unknown = part;
			continue;
		}
		if ((r = checksum_parse(part, &checksum, err)) < 0)
			return r;
		if (checksum.kind == uri->expected.kind &&
			!checksum_equal(&checksum, &uri->expected))
			return err_set(err, ERR_USAGE, EINVAL, "two different %s in the fragment",
				checksum_kind_name(checksum.kind));
		if (checksum.kind > uri->expected.kind)
			uri->expected = checksum;
	}
	/* who names no other kind shall not believe that the bytes were checked */
	if (unknown && uri->expected.kind == CHECKSUM_NONE)
		return checksum_parse(unknown, &uri->expected, err);
	return 0;
}

static int assemble(struct uri *uri, struct err *err)
{
	uri->text = str_printf("%s://%s%s%s%s%s%s", uri->scheme, uri->host, uri->port ? ":" : "",
		uri->port ? uri->port : "", uri->path, uri->query ? "?" : "",
		uri->query ? uri->query : "");
	if (!uri->text)
		return err_oom(err);
	if (strlen(uri->text) > URI_MAX)
		return err_set(
			err, ERR_USAGE, ENAMETOOLONG, "URI is longer than %d bytes", URI_MAX);
	return 0;
}

int uri_parse(const char *text, struct uri *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct parts parts = {0};
	int r;

	if (strnlen(text, URI_MAX + 1) > URI_MAX)
		return err_set(
			err, ERR_USAGE, ENAMETOOLONG, "URI is longer than %d bytes", URI_MAX);
	if ((r = split(text, &parts, err)) < 0 || (r = check_bytes(text, &parts, err)) < 0)
		return r;

	uri.scheme = respell(parts.scheme, "+", false);
	if (!uri.scheme)
		return err_oom(err);
	uri_lower(uri.scheme);

	if (str_equal(uri.scheme, "file"))
		r = parse_file_authority(&parts, &uri, err);
	else
		r = uri_parse_authority(parts.authority.start, parts.authority.len, &uri, err);
	if (r == 0 && is_s3(uri.scheme)) {
		uri.scheme[2] = '\0';
		r = take_bucket(&parts, &uri, err);
	}
	if (r < 0 || (r = parse_tail(&parts, &uri, err)) < 0 ||
		(r = parse_fragment(parts.fragment, &uri, err)) < 0 ||
		(r = assemble(&uri, err)) < 0)
		return r;

	*ret = uri;
	uri = (struct uri){0};
	return 0;
}
