#include "backends/s3_place.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_MAX 63
#define AMAZON     ".amazonaws.com"
#define CHINA      ".amazonaws.com.cn"

/* A name that can stand in a host's (and longer ones cannot be had since 2018). */
static bool is_bucket(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= BUCKET_MAX && name[0] != '.' && name[0] != '-' &&
	       name[len - 1] != '.' && name[len - 1] != '-' && !strstr(name, "..") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == len;
}

static bool is_region(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < S3_REGION_SIZE && name[0] != '-' && name[len - 1] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static bool is_in_path(const struct s3_place *place)
{
	if (place->style != S3_STYLE_AUTO)
		return place->style == S3_STYLE_PATH;
	/* a certificate for *.s3.… is not for names with one more dot */
	return place->endpoint || strpbrk(place->bucket, "._");
}

/* "https://s3.REGION.amazonaws.com/", or what is configured: the caller's to free(). */
static char *site_of(const struct s3_place *place)
{
	bool china = str_has_prefix(place->region, "cn-");

	if (place->endpoint)
		return str_copy(place->endpoint);
	return str_printf("https://s3.%s%s/", place->region, china ? CHINA : AMAZON);
}

int s3_place_uri(const struct s3_place *place, const char *path, const char *query, struct uri *ret,
	struct err *err)
{
	CLEANUP(str_freep) char *site = site_of(place);
	CLEANUP(str_freep) char *text = NULL;
	const char *host;

	if (!site)
		return err_oom(err);
	if (!is_bucket(place->bucket))
		return err_set(
			err, ERR_USAGE, EINVAL, "'%.80s' is no name of a bucket", place->bucket);
	host = strstr(site, "://");
	host = host ? host + strlen("://") : site;
	if (is_in_path(place))
		text = str_printf("%s%s%s%s%s", site, place->bucket, path, query ? "?" : "",
			query ? query : "");
	else
		text = str_printf("%.*s%s.%s%s%s%s", (int)(host - site), site, place->bucket, host,
			path + 1, query ? "?" : "", query ? query : "");
	return text ? uri_parse(text, ret, err) : err_oom(err);
}

/* "s3.REGION.amazonaws.com", "BUCKET.s3-REGION.amazonaws.com" and the like, by TLS. */
static bool is_amazons(const struct s3_place *place, const struct uri *at)
{
	const char *host = at->host;
	size_t len = strlen(place->bucket);

	if (!str_equal(at->scheme, "https") || at->port)
		return false;
	if (strncmp(host, place->bucket, len) == 0 && host[len] == '.' &&
		str_has_prefix(host + len + 1, "s3"))
		host += len + 1;
	if (!str_has_prefix(host, "s3.") && !str_has_prefix(host, "s3-"))
		return false;
	return str_has_suffix(host, AMAZON) || str_has_suffix(host, CHINA);
}

bool s3_place_owns(const struct s3_place *place, const struct uri *at)
{
	CLEANUP(uri_release) struct uri root = {.text = NULL};

	if (!place->endpoint)
		return is_amazons(place, at);
	return s3_place_uri(place, "/", NULL, &root, NULL) == 0 &&
	       uri_is_below(root.text, at->text);
}

bool s3_place_move(struct s3_place *place, const char *region)
{
	return is_region(region) && !str_equal(region, place->region) &&
	       str_fit(place->region, sizeof(place->region), region);
}
