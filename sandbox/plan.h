/*
 * What is to be in a sandbox: a list of URIs, each with a name, from arguments or a JSON spec.
 *
 * The spec is a list of items, or {"uris": [items], "user": NAME, "digests": URI}, where digests is
 * a listing (fetchfs_digests_load()) for the items that have no digest of their own; an item is an
 *object with the field names of the Mesos fetcher and three of our own:
 *
 *	value        the URI (required)
 *	output_file  name in the directory, may have folders; default: the last segment of the URI
 *	executable   true: mode 0755 instead of 0644
 *	digest       "sha256:HEX" (or sha512, sha1, md5), what the bytes must hash to
 *	mode         "0640", of a copy; no setuid, setgid or sticky bit
 *	method       "auto", "hardlink" or "copy"
 *	cache        accepted; everything goes through the cache
 *	extract      only false
 *
 * Unknown fields are ignored, null means not given. Everything is checked here, before anything is
 * fetched: a plan that exists can name no file outside its directory, and no file twice.
 */
#ifndef FETCHFS_SANDBOX_PLAN_H
#define FETCHFS_SANDBOX_PLAN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PLAN_ITEMS_MAX 4096
#define PLAN_SPEC_MAX  (16U << 20) /* bytes of JSON */
#define PLAN_NAME_MAX  1024        /* bytes of an output_file */
#define PLAN_DEPTH_MAX 32          /* segments of an output_file */

enum plan_method { PLAN_AUTO, PLAN_HARDLINK, PLAN_COPY };

struct plan_item {
	char *uri;
	char *shown;  /* the URI for people: no secret */
	char *name;   /* relative; segments by one '/', none of them "." or ".." */
	char *digest; /* or NULL */
	bool executable;
	int mode; /* -1: as executable says */
	bool has_method;
	enum plan_method method;
};

struct plan {
	struct plan_item *items;
	size_t count;
	char *user;    /* or NULL: nobody is named */
	char *digests; /* the URI of a listing, or NULL */
};

/* Add the items of a JSON text. -EINVAL names the item and the field. */
int plan_add_spec(struct plan *plan, const char *text, size_t len, struct err *err);

/* Add one URI under its own name. */
int plan_add_uri(struct plan *plan, const char *uri, struct err *err);

/* The plan is whole: check the items against each other; items that name no method get @method. */
int plan_finish(struct plan *plan, enum plan_method method, struct err *err);

void plan_release(struct plan *plan);

/* "auto", "hardlink", "copy". */
const char *plan_method_name(enum plan_method method);
int plan_method_parse(const char *name, enum plan_method *ret, struct err *err);

#endif
