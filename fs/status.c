/*
 * .fetchfs/status: one JSON object, made when it is opened.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fs/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* @text as a JSON string, with its quotes (RFC 8259, 7). */
static char *quote(const char *text)
{
	char *ret = malloc(6 * strlen(text) + 3);
	char *to = ret;

	if (!ret)
		return NULL;
	*to++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			*to++ = '\\';
		if (c < 0x20)
			to += sprintf(to, "\\u%04x", (unsigned int)c);
		else
			*to++ = (char)c;
	}
	*to++ = '"';
	*to = '\0';
	return ret;
}

char *status_text(struct fs *fs)
{
	CLEANUP(str_freep) char *cache = quote(fetchfs_cache_path(fs->fetchfs));
	struct fetchfs_usage usage = {0};

	/* A status that says zero is better than none when the index does not answer. */
	(void)fetchfs_usage(fs->fetchfs, &usage, NULL);
	if (!cache)
		return NULL;
	return str_printf("{\"version\": \"%s\", \"cache\": %s, \"pid\": %d, \"uptime\": %" PRId64
			  ",\n \"limit\": %" PRIu64 ", \"used\": %" PRIu64
			  ", \"reserved\": %" PRIu64 ",\n \"entries\": %" PRIu64
			  ", \"objects\": %" PRIu64 ", \"in_flight\": %" PRIu64
			  ",\n \"hits\": %" PRIu64 ", \"misses\": %" PRIu64
			  ", \"fetched_bytes\": %" PRIu64 "}\n",
		FETCHFS_VERSION, cache, (int)getpid(), clock_wall() - fs->started, usage.limit,
		usage.used, usage.reserved, usage.entries, usage.objects, usage.in_flight,
		usage.hits, usage.misses, usage.fetched_bytes);
}
