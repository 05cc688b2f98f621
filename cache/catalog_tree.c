/*
 * Walks over the catalog in the order of URIs. Each takes pages into memory under the catalog's
 * lock and visits them without it.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/catalog.h"
#include "cache/catalog_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE CATALOG_RUN

/* ---- entries ---- */

struct entry_page {
	size_t count;
	struct entry entries[PAGE];
};

static void entry_page_release(struct entry_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		entry_release(&page->entries[i]);
	page->count = 0;
}

/* The next entries after (@uri, @key); an empty key sorts before all others. None from @end on: of
 * those that may not be seen, there may be a million behind it. */
static int read_entries(struct catalog *catalog, const char *uri, const struct entry_key *key,
	const char *end, const char *scope, struct entry_page *page, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(catalog->db,
		CATALOG_ENTRY_SELECT " WHERE (e.uri, e.key) > (?1, ?3) AND e.uri < ?5"
				     " AND " CATALOG_VISIBLE " ORDER BY e.uri, e.key LIMIT ?4",
		&query, err);

	if (r < 0)
		return r;
	db_bind_text(query, 1, uri);
	db_bind_text(query, 2, scope);
	db_bind_blob(
		query, 3, key ? key->bytes : (const uint8_t *)"", key ? sizeof(key->bytes) : 0);
	db_bind_int(query, 4, PAGE);
	db_bind_text(query, 5, end);
	while ((r = db_step(query, err)) > 0) {
		assert(page->count < PAGE);
		r = catalog_read_entry(catalog, query, &page->entries[page->count], err);
		if (r < 0)
			break;
		page->count++;
	}
	return r;
}

int catalog_list(struct catalog *catalog, const char *prefix, const char *scope,
	catalog_visit *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *last = str_copy(prefix);
	CLEANUP(str_freep) char *end = str_printf("%s\xff", prefix); /* no URI has such a byte */
	struct entry_key last_key;
	bool first = true;
	size_t count;

	if (!last || !end)
		return err_oom(err);
	do {
		CLEANUP(entry_page_release) struct entry_page page = {.count = 0};
		int r = read_entries(
			catalog, last, first ? NULL : &last_key, end, scope, &page, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < page.count; i++) {
			r = visit(&page.entries[i], arg);
			if (r != 0)
				return r;
		}
		count = page.count;
		if (count > 0) {
			struct entry *tail = &page.entries[count - 1];

			free(last);
			last = tail->uri;
			tail->uri = NULL;
			last_key = tail->key;
			first = false;
		}
	} while (count == PAGE);
	return 0;
}

/* ---- names in a folder ---- */

struct name {
	char *text;
	bool is_folder;
};

struct name_page {
	size_t count;
	struct name names[PAGE];
};

static void name_page_release(struct name_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		free(page->names[i].text);
	page->count = 0;
}

/* Whose names are read, and which. */
struct name_walk {
	struct db *db;
	const char *folder; /* ends in '/' */
	const char *until;  /* none of these URIs, nor any behind it */
	const char *scope;
};

#define LISTED                                                                                     \
	" FROM entry AS e WHERE e.uri >= ?1 AND e.uri < ?3 AND " CATALOG_VISIBLE                   \
	" AND " CATALOG_IS_FILE " AND NOT e.has_query"

static int query_listed(const struct name_walk *walk, const char *sql, const char *from,
	const char *until, struct db_query **ret, struct err *err)
{
	int r = db_query(walk->db, sql, ret, err);

	if (r < 0)
		return r;
	db_bind_text(*ret, 1, from);
	db_bind_text(*ret, 2, walk->scope);
	db_bind_text(*ret, 3, until);
	return 0;
}

/* The end of all that begins with @folder, which ends in '/': '0' is what follows '/'. */
static char *end_of(const char *folder)
{
	char *end = str_copy(folder);

	if (end && end[0] != '\0')
		end[strlen(end) - 1] = '/' + 1;
	return end;
}

/* Whether something listed is at or behind @from and before @until. 1, 0 or -errno. */
static int exists(
	const struct name_walk *walk, const char *from, const char *until, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = query_listed(walk, "SELECT 1" LISTED " LIMIT 1", from, until, &query, err);

	return r < 0 ? r : db_step(query, err);
}

/*
 * Add the name that @uri shows in the folder, and say in *ret_next where the names after it begin.
 *
 * A name that is both a file ("x") and a folder ("x/…") comes up twice, with others like "x.gz"
 * possibly in between: it is reported the first time, as a folder, and passed over the second.
 * 1: it is one with more below it, which is to be passed over; 0; or -errno.
 */
static int add_name(const struct name_walk *walk, const char *uri, struct name_page *page,
	char **ret_next, struct err *err)
{
	const char *name = uri + strlen(walk->folder);
	size_t len = strcspn(name, "/");
	bool below = name[len] == '/';
	CLEANUP(str_freep) /* names are at most URI_MAX */
	char *file = str_printf("%s%.*s", walk->folder, (int)len, name);
	CLEANUP(str_freep) char *start = file ? str_printf("%s/", file) : NULL;
	CLEANUP(str_freep) char *end = start ? end_of(start) : NULL;
	CLEANUP(str_freep) char *after = file ? str_printf("%s\x01", file) : NULL;
	int other;

	if (!end || !after)
		return err_oom(err);
	/* below: was the file reported? else: is there a folder, too? */
	other = below ? exists(walk, file, after, err) : exists(walk, start, end, err);
	if (other < 0)
		return other;
	if (len > 0 && !(below && other)) {
		char *text = strndup(name, len);

		if (!text)
			return err_oom(err);
		page->names[page->count++] = (struct name){text, below || other};
	}
	free(*ret_next);
	*ret_next = below ? str_steal(&end) : str_steal(&after);
	return below;
}

/* Rows from *from on, until the page is full, or some are to be passed over. *from moves behind
 * what was read; NULL at the end. */
static int read_run(
	const struct name_walk *walk, char **from, struct name_page *page, struct err *err)
{
	CLEANUP(str_freep) char *first = str_steal(from);
	CLEANUP(str_freep) char *next = NULL;
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = query_listed(
		walk, "SELECT e.uri" LISTED " ORDER BY e.uri", first, walk->until, &query, err);

	if (r < 0)
		return r;
	while (page->count < PAGE && (r = db_step(query, err)) > 0) {
		const char *uri = db_text(query, 0);

		/* the same URI in another scope */
		if (!uri || (next && strcmp(uri, next) < 0))
			continue;
		r = add_name(walk, uri, page, &next, err);
		if (r != 0)
			break;
	}
	if (r < 0)
		return r;
	if (r > 0 || page->count == PAGE)
		*from = str_steal(&next);
	return 0;
}

static int read_names(struct catalog *catalog, struct name_walk *walk, char **from,
	struct name_page *page, struct err *err)
{
	int r = 0;
	WITH_CATALOG(catalog);

	walk->db = catalog->db;
	while (r == 0 && page->count < PAGE && *from)
		r = read_run(walk, from, page, err);
	return r;
}

int catalog_children(struct catalog *catalog, const char *folder, const char *until,
	const char *scope, size_t max, char **from, catalog_visit_name *visit, void *arg,
	struct err *err)
{
	CLEANUP(str_freep) char *end = end_of(folder);
	struct name_walk walk = {.folder = folder, .until = until ? until : end, .scope = scope};
	size_t count = 0;

	if (!*from)
		*from = str_copy(folder);
	if (!*from || !end)
		return err_oom(err);
	while (*from && count < max) {
		CLEANUP(name_page_release) struct name_page page = {.count = 0};
		int r = read_names(catalog, &walk, from, &page, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < page.count; i++) {
			r = visit(page.names[i].text, page.names[i].is_folder, arg);
			if (r != 0)
				return r;
		}
		count += page.count;
	}
	return 0;
}

int catalog_has_children(
	struct catalog *catalog, const char *folder, const char *scope, struct err *err)
{
	WITH_CATALOG(catalog);
	CLEANUP(str_freep) char *end = end_of(folder);
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r;

	if (!end)
		return err_oom(err);
	/* URIs with a query count: their folder can be walked into, though they are not listed;
	 * likewise folders and pages */
	r = db_query(catalog->db,
		"SELECT 1 FROM entry AS e WHERE e.uri > ?1 AND e.uri < ?3 AND " CATALOG_VISIBLE
		" AND e.state != 2 LIMIT 1",
		&query, err);
	if (r < 0)
		return r;
	db_bind_text(query, 1, folder);
	db_bind_text(query, 2, scope);
	db_bind_text(query, 3, end);
	return db_step(query, err);
}
