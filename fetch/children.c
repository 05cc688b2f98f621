/*
 * The names in a folder, by pages: fetchfs_children().
 *
 * First come those of the index, in its order, which is read a page at a time; where each page
 * begins is remembered, so that the page lies between the same two places for ever. Behind them
 * come those that the index did not know when it was their turn: of flights, and of the origin's
 * listing, as they were in the beginning.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/browse.h"
#include "fetch/fetchfs.h"
#include "fetch/folders.h"
#include "fetch/in_flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A page that is read again may have got more names; the index adds some of its own. */
#define AGAIN_MAX (FETCHFS_PAGE_MAX - CATALOG_RUN)

/* What a flight adds to the folder. */
struct flying {
	char *name;
	bool is_folder;
	bool seen; /* the index has it, too */
};

struct fetchfs_children {
	struct fetchfs *fetchfs;
	char *folder;
	char *scopes;

	char **begins; /* where the pages of the index begin; NULL: at its first name */
	size_t count;  /* of those that are known */
	size_t room;
	bool ended; /* there are no more */

	struct flying *flying;
	size_t flying_count;
	struct folder_names *remote;
	bool *seen; /* those of @remote that came up already */
};

/* ---- what the index does not know ---- */

static bool has_flying(const struct fetchfs_children *children, const char *name)
{
	for (size_t i = 0; i < children->flying_count; i++)
		if (str_equal(children->flying[i].name, name))
			return true;
	return false;
}

static int add_flying(struct fetchfs_children *children, const struct target *target)
{
	const char *rest = target->shown + strlen(children->folder);
	size_t len = strcspn(rest, "/");
	char *name = strndup(rest, len);

	if (!name)
		return -ENOMEM;
	if (len == 0 || has_flying(children, name)) {
		free(name);
		return 0;
	}
	children->flying[children->flying_count++] =
		(struct flying){.name = name, .is_folder = rest[len] == '/'};
	return 0;
}

static int take_flying(struct fetchfs_children *children, uid_t uid)
{
	CLEANUP(in_flight_release) struct in_flight set = {.count = 0};
	struct fetchfs *fetchfs = children->fetchfs;
	int r = 0;

	in_flight_take(fetchfs, &set);
	children->flying = calloc(set.count + 1, sizeof(*children->flying));
	if (!children->flying)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < set.count; i++) {
		const struct target *target = set.items[i]->target;

		if (target_is_listed(target) &&
			in_flight_is_unlisted(fetchfs, target, children->folder, uid))
			r = add_flying(children, target);
	}
	return r;
}

/* ---- visiting ---- */

struct visitor {
	struct fetchfs_children *children;
	fetchfs_visit_name *visit; /* NULL: nobody is told */
	void *arg;
};

/* A folder wins, whoever knows of it. @at: the place in the listing, if it has one there. */
static enum fetchfs_name kind_of(const struct fetchfs_children *children, bool is_folder, size_t at)
{
	if (at < folders_count(children->remote) && folders_at(children->remote, at)->is_folder)
		is_folder = true;
	return is_folder ? FETCHFS_NAME_FOLDER : FETCHFS_NAME_FILE;
}

/* The index has this name itself. */
static int visit_indexed(const char *name, bool is_folder, void *arg)
{
	const struct visitor *visitor = arg;
	struct fetchfs_children *children = visitor->children;
	size_t at = folders_search(children->remote, name);

	if (at < folders_count(children->remote))
		children->seen[at] = true;
	for (size_t i = 0; i < children->flying_count; i++)
		children->flying[i].seen |= str_equal(children->flying[i].name, name);
	return visitor->visit ? visitor->visit(name, kind_of(children, is_folder, at), visitor->arg)
			      : 0;
}

/* The @i-th of those behind the index. */
static int visit_other(const struct visitor *visitor, size_t i)
{
	struct fetchfs_children *children = visitor->children;
	const struct folder_name *listed;
	const struct flying *flying;
	size_t at;

	if (i >= children->flying_count) {
		at = i - children->flying_count;
		listed = folders_at(children->remote, at);
		return children->seen[at] ? 0
					  : visitor->visit(listed->name,
						    listed->is_folder ? FETCHFS_NAME_FOLDER
								      : FETCHFS_NAME_LISTED,
						    visitor->arg);
	}
	flying = &children->flying[i];
	if (flying->seen)
		return 0;
	at = folders_search(children->remote, flying->name);
	if (at < folders_count(children->remote))
		children->seen[at] = true;
	return visitor->visit(flying->name, kind_of(children, flying->is_folder, at), visitor->arg);
}

static int visit_others(const struct visitor *visitor, size_t page, bool *ret)
{
	const struct fetchfs_children *children = visitor->children;
	size_t count = children->flying_count + folders_count(children->remote);
	size_t begin = page * FETCHFS_PAGE;
	int r = 0;

	for (size_t i = begin; r == 0 && i < count && i < begin + FETCHFS_PAGE; i++)
		r = visit_other(visitor, i);
	*ret = begin < count;
	return r;
}

/* ---- pages ---- */

/* The last page that is known ends at @next, NULL: with the index. Takes @next. */
static int add_begin(struct fetchfs_children *children, char *next)
{
	size_t room = children->room ? 2 * children->room : 4;
	char **begins;

	if (children->count == children->room) {
		begins = reallocarray(children->begins, room, sizeof(*begins));
		if (!begins) {
			free(next);
			return -ENOMEM;
		}
		children->begins = begins;
		children->room = room;
	}
	children->begins[children->count++] = next;
	return 0;
}

/* One of the pages of the index that are known. */
static int visit_page(struct visitor *visitor, size_t page, struct err *err)
{
	struct fetchfs_children *children = visitor->children;
	bool is_last = page + 1 == children->count;
	bool is_first_time = is_last && !children->ended;
	const char *until = is_last ? NULL : children->begins[page + 1];
	CLEANUP(str_freep) char *from = str_copy(children->begins[page]);
	int r;

	if (children->begins[page] && !from)
		return err_oom(err);
	r = catalog_children(children->fetchfs->catalog, children->folder, until, children->scopes,
		is_first_time ? FETCHFS_PAGE : AGAIN_MAX, &from, visit_indexed, visitor, err);
	if (r != 0)
		return r;
	if (is_first_time && !from)
		children->ended = true;
	else if (is_first_time && add_begin(children, str_steal(&from)) < 0)
		return err_oom(err);
	return 0;
}

int fetchfs_children_page(struct fetchfs_children *children, size_t page, fetchfs_visit_name *visit,
	void *arg, bool *ret, struct err *err)
{
	struct visitor silent = {.children = children};
	struct visitor visitor = {.children = children, .visit = visit, .arg = arg};

	while (!children->ended && page >= children->count) {
		int r = visit_page(&silent, children->count - 1, err);

		if (r < 0)
			return r;
	}
	*ret = true;
	return page < children->count ? visit_page(&visitor, page, err)
				      : visit_others(&visitor, page - children->count, ret);
}

/* ---- the whole ---- */

static int make(struct fetchfs_children *children, uid_t uid)
{
	children->seen = calloc(folders_count(children->remote) + 1, sizeof(*children->seen));
	if (!children->folder || !children->seen || add_begin(children, NULL) < 0)
		return -ENOMEM;
	return take_flying(children, uid);
}

int fetchfs_children_open(struct fetchfs *fetchfs, const char *folder, uid_t uid,
	struct fetchfs_children **ret, struct err *err)
{
	struct fetchfs_children *children = calloc(1, sizeof(*children));
	int r;

	if (!children)
		return err_oom(err);
	children->fetchfs = fetchfs;
	children->folder = str_copy(folder);
	children->remote = folders_find(fetchfs, folder, uid);
	r = browse_scopes(fetchfs, uid, &children->scopes, err);
	if (r == 0 && make(children, uid) < 0)
		r = err_oom(err);
	if (r < 0) {
		fetchfs_children_close(children);
		return r;
	}
	*ret = children;
	return 0;
}

void fetchfs_children_close(struct fetchfs_children *children)
{
	if (!children)
		return;
	for (size_t i = 0; i < children->count; i++)
		free(children->begins[i]);
	free(children->begins);
	for (size_t i = 0; i < children->flying_count; i++)
		free(children->flying[i].name);
	free(children->flying);
	free(children->seen);
	folders_unrefp(&children->remote);
	free(children->scopes);
	free(children->folder);
	free(children);
}

int fetchfs_children(struct fetchfs *fetchfs, const char *folder, uid_t uid,
	fetchfs_visit_name *visit, void *arg, struct err *err)
{
	struct fetchfs_children *children;
	bool more = true;
	int r = fetchfs_children_open(fetchfs, folder, uid, &children, err);

	if (r < 0)
		return r;
	for (size_t page = 0; r == 0 && more; page++)
		r = fetchfs_children_page(children, page, visit, arg, &more, err);
	fetchfs_children_close(children);
	return r;
}
