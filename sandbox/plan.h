/*
 * What is to be in a sandbox: a list of URIs, each with a name, from arguments or a JSON spec.
 *
 * The spec is a list of items, or {"uris": [items], "user": NAME, "digests": URI}, where digests is
 * a listing (fetchfs_digests_load()) for the items that have no digest of their own; an item is an
 *object with the field names of the Mesos fetcher and three of our own:
 *
 *	value        the URI, or an absolute path (required)
 *	output_file  name in the directory, may have folders; default: the last segment of the URI
 *	executable   true: mode 0755 instead of 0644
 *	digest       "sha256:HEX" (or sha512, sha1, md5), what the bytes must hash to
 *	mode         "0640", of a copy or reflink; no setuid, setgid or sticky bit
 *	method       one of enum plan_method: docs/sandboxes.md says what each costs and guarantees
 *	cache        accepted; everything goes through the cache
 *	extract      true: what is in it, if it is an archive, instead of itself; executable wins
 *
 * Unknown fields are ignored, null means not given. Everything is checked here, before anything is
 * fetched: a plan that exists can name no file outside its directory, and no file twice.
 */
#ifndef FETCHFS_SANDBOX_PLAN_H
#define FETCHFS_SANDBOX_PLAN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_ITEMS_MAX 4096
#define PLAN_SPEC_MAX  (16U << 20) /* bytes of JSON */
#define PLAN_NAME_MAX  1024        /* bytes of an output_file */
#define PLAN_DEPTH_MAX 32          /* segments of an output_file */

enum plan_method {
	PLAN_AUTO,     /* the cheapest that is safe here */
	PLAN_HARDLINK, /* the cached file itself */
	PLAN_REFLINK,  /* a file of the user's own, whose blocks are shared until one is written */
	PLAN_BIND,     /* the cached file, mounted read-only */
	PLAN_SYMLINK,  /* into the mount */
	PLAN_COPY,
};

struct plan_item {
	char *uri;
	char *shown;  /* the URI for people: no secret */
	char *name;   /* relative; segments by one '/', none of them "." or ".." */
	char *digest; /* or NULL */
	bool named;   /* by an output_file */
	bool executable;
	bool extract;
	int mode; /* -1: as executable says */
	bool has_method;
	enum plan_method method;
};

struct plan {
	struct plan_item *items;
	size_t count;
	char *user;    /* or NULL: nobody is named */
	char *digests; /* the URI of a listing, or NULL */

	/* how: {0} is as good an answer as any; strings are not the plan's */
	const char *mount;  /* absolute path of a mount of the same cache, or NULL */
	int64_t timeout_ms; /* until all is downloaded and unpacked, 0: none */
	bool lazy;          /* binds of what is not here yet are of the mount's file */
	bool dry_run;       /* only look */
	bool keep_going;    /* what went well stays although others failed */
	bool no_bind;       /* "auto" makes no mounts: who uses the files could undo them */
	bool confined;      /* who uses the files has no CAP_SYS_ADMIN outside, be it as root */
};

/* Add the items of a JSON text. -EINVAL names the item and the field. */
int plan_add_spec(struct plan *plan, const char *text, size_t len, struct err *err);

/* Add one URI under its own name; @extract as above. */
int plan_add_uri(struct plan *plan, const char *uri, bool extract, struct err *err);

/* All items go into @folder, a relative name as theirs are, "" for none. Before plan_finish(). */
int plan_move(struct plan *plan, const char *folder, struct err *err);

/* The plan is whole: check the items against each other; items that name no method get @method. */
int plan_finish(struct plan *plan, enum plan_method method, struct err *err);

void plan_release(struct plan *plan);

/*
 * Whether it is known only once the item is here under which names it will be: it may be an archive
 * whose content goes into the directory itself. Such names are checked later.
 */
bool plan_is_open(const struct plan_item *item);

/* The order of names in which '/' comes before every other byte: a folder is followed by what is in
 * it. */
int plan_compare_names(const char *a, const char *b);

/* What two names that follow each other in that order are to each other. */
enum plan_clash {
	PLAN_APART,
	PLAN_SAME,
	PLAN_WITHIN, /* the second would be in the first, as if that were a folder */
};
enum plan_clash plan_clash(const char *name, const char *next);

/* Whether @method hands out the cached file, with the mode that it has. */
bool plan_is_of_object(enum plan_method method);

/* "auto", "hardlink" … */
const char *plan_method_name(enum plan_method method);
int plan_method_parse(const char *name, enum plan_method *ret, struct err *err);

#endif
