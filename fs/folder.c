#include "fs/folder.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * An offset below PAGE_STEP is the number of a kept name. Else it says: so many names of that page
 * have been read, and that is what the last one hashes to. A page that is read again may have got
 * names, or lost some; by the hash the place is found all the same.
 */
#define INDEX_STEP (UINT64_C(1) << 28)
#define PAGE_STEP  (UINT64_C(1) << 40)
#define PAGES_MAX  (UINT64_C(1) << 22)
_Static_assert(FETCHFS_PAGE_MAX *INDEX_STEP < PAGE_STEP, "an index fits");
_Static_assert(PAGES_MAX *PAGE_STEP <= UINT64_C(1) << 62, "an offset is not negative");

/* Pages that are kept; one call of folder_read() never goes on to more, for the kernel may ask for
 * all of its answer but the first name again. */
#define PAGES_KEPT 4

struct list {
	struct folder_entry *items;
	size_t count;
	size_t room;
};

struct page {
	bool used;
	size_t number;
	struct list list;
};

struct folder {
	struct fs *fs;
	char *path;   /* of the folder */
	char *prefix; /* of the URIs below it; NULL: of none */
	uid_t uid;
	struct list kept;

	pthread_mutex_t mu;
	/* all below: guarded by mu */
	struct fetchfs_children *children; /* NULL: to be opened, if there is a prefix */
	struct page pages[PAGES_KEPT];
	unsigned int turn; /* pages that were read: which one is given up next */
};

/* ---- lists ---- */

static void list_clear(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	list->count = 0;
}

static void list_release(struct list *list)
{
	list_clear(list);
	free(list->items);
}

static int list_add(struct list *list, const char *name, uint64_t st_ino, mode_t type)
{
	struct folder_entry *items = list->items;
	size_t room = list->room ? list->room * 2 : 32;
	char *copy = str_copy(name);

	if (copy && list->count == list->room) {
		items = reallocarray(items, room, sizeof(*items));
		if (items) {
			list->items = items;
			list->room = room;
		}
	}
	if (!copy || !items) {
		free(copy);
		return -ENOMEM;
	}
	items[list->count++] = (struct folder_entry){.name = copy, .st_ino = st_ino, .type = type};
	return 0;
}

/* ---- a folder ---- */

struct folder *folder_new(struct fs *fs, const char *path, uid_t uid)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (!folder)
		return NULL;
	*folder = (struct folder){.fs = fs, .path = str_copy(path), .uid = uid};
	pthread_mutex_init(&folder->mu, NULL);
	if (folder->path)
		return folder;
	folder_free(folder);
	return NULL;
}

static void forget_pages(struct folder *folder)
{
	for (size_t i = 0; i < PAGES_KEPT; i++) {
		list_release(&folder->pages[i].list);
		folder->pages[i] = (struct page){.used = false};
	}
	fetchfs_children_close(folder->children);
	folder->children = NULL;
	folder->turn = 0;
}

void folder_free(struct folder *folder)
{
	if (!folder)
		return;
	forget_pages(folder);
	pthread_mutex_destroy(&folder->mu);
	list_release(&folder->kept);
	free(folder->prefix);
	free(folder->path);
	free(folder);
}

int folder_add(struct folder *folder, const char *name, uint64_t st_ino, mode_t type)
{
	return list_add(&folder->kept, name, st_ino, type);
}

/* Caller holds mu, or is the only one who has it yet. */
static int open_children(struct folder *folder, struct err *err)
{
	if (folder->children || !folder->prefix)
		return 0;
	return fetchfs_children_open(
		folder->fs->fetchfs, folder->prefix, folder->uid, &folder->children, err);
}

int folder_add_children(struct folder *folder, const char *prefix, struct err *err)
{
	folder->prefix = str_copy(prefix);
	return folder->prefix ? open_children(folder, err) : err_oom(err);
}

uint64_t folder_number(const struct folder *folder, const struct folder_entry *entry)
{
	struct wanted wanted = {0};
	struct fetchfs_request request = {.uid = folder->uid, .through_mount = true};
	CLEANUP(str_freep) char *path = NULL;
	char key[FETCHFS_KEY_HEX_SIZE];
	uint64_t st_ino;

	if (entry->st_ino)
		return entry->st_ino;
	path = str_printf("%s/%s", folder->path, entry->name);
	if (!path)
		return names_hash(entry->name); /* of no use, but not 0 */
	st_ino = inode_number_of_folder(path);
	/* whose a local file is, and so its key, takes a look at it: nobody looks for a listing */
	if (entry->type != S_IFDIR && !names_is_local(path) &&
		names_from_tree(path, &wanted, NULL) == 0) {
		request.uri = wanted.uri;
		if (fetchfs_key(folder->fs->fetchfs, &request, key, NULL) == 0)
			st_ino = inode_number_of_key(key);
		names_wanted_release(&wanted);
	}
	return st_ino;
}

/* ---- pages ---- */

/* Not every server shows its folders with a slash: what has no suffix may be one. */
static mode_t type_of(const char *name, enum fetchfs_name kind)
{
	if (kind == FETCHFS_NAME_FOLDER)
		return S_IFDIR;
	return kind == FETCHFS_NAME_FILE || names_has_suffix(name) ? S_IFREG : 0;
}

static int add_child(const char *name, enum fetchfs_name kind, void *arg)
{
	return list_add(arg, name, 0, type_of(name, kind));
}

/* The page @number into *ret, NULL: there is none. Caller holds mu. */
static int find_page(struct folder *folder, size_t number, const struct list **ret, struct err *err)
{
	struct page *page = &folder->pages[folder->turn % PAGES_KEPT];
	bool is_there = false;
	int r;

	for (size_t i = 0; i < PAGES_KEPT; i++) {
		if (folder->pages[i].used && folder->pages[i].number == number) {
			*ret = &folder->pages[i].list;
			return 0;
		}
	}
	*ret = NULL;
	r = open_children(folder, err);
	if (r < 0 || !folder->children || number >= PAGES_MAX - 1)
		return r;
	page->used = false;
	list_clear(&page->list);
	r = fetchfs_children_page(folder->children, number, add_child, &page->list, &is_there, err);
	if (r < 0)
		return r == -ENOMEM ? err_oom(err) : r;
	if (!is_there)
		return 0;
	page->used = true;
	page->number = number;
	folder->turn++;
	*ret = &page->list;
	return 0;
}

/* ---- places ---- */

static off_t place_behind(size_t page, const struct list *list, size_t i)
{
	uint64_t hash = names_hash(list->items[i].name) % INDEX_STEP;

	return (off_t)((page + 1) * PAGE_STEP + (i + 1) * INDEX_STEP + hash);
}

/* The first name of @list that is behind the place @offset in it. */
static size_t first_behind(const struct list *list, uint64_t offset)
{
	size_t count = (size_t)(offset % PAGE_STEP / INDEX_STEP);
	uint64_t hash = offset % INDEX_STEP;

	if (count == 0)
		return 0;
	if (count <= list->count && names_hash(list->items[count - 1].name) % INDEX_STEP == hash)
		return count;
	for (size_t i = 0; i < list->count; i++)
		if (names_hash(list->items[i].name) % INDEX_STEP == hash)
			return i + 1;
	/* it has gone: what followed it has taken its number, unless others have come or gone
	 * before it, too, since somebody was here */
	return count - 1 < list->count ? count - 1 : list->count;
}

/* How a walk over pages stands. */
struct walk {
	folder_visit *visit;
	void *arg;
	size_t count; /* of names that were taken */
	bool ended;
};

static void visit_list(struct walk *walk, size_t number, const struct list *list, size_t from)
{
	for (size_t i = from; i < list->count && !walk->ended; i++) {
		walk->ended =
			!walk->visit(&list->items[i], place_behind(number, list, i), walk->arg);
		walk->count += !walk->ended;
	}
}

/* Caller holds mu. */
static int visit_pages(struct folder *folder, struct walk *walk, uint64_t offset, struct err *err)
{
	size_t number = offset < PAGE_STEP ? 0 : (size_t)(offset / PAGE_STEP) - 1;
	const struct list *list = NULL;

	for (size_t n = 0; !walk->ended && (n < PAGES_KEPT || walk->count == 0); n++) {
		int r = find_page(folder, number, &list, err);

		/* what has been read goes out; whoever goes on will be told */
		if (r < 0)
			return walk->count > 0 ? 0 : r;
		if (!list)
			return 0;
		visit_list(walk, number, list,
			n == 0 && offset >= PAGE_STEP ? first_behind(list, offset) : 0);
		number++;
	}
	return 0;
}

int folder_read(
	struct folder *folder, off_t offset, folder_visit *visit, void *arg, struct err *err)
{
	struct walk walk = {.visit = visit, .arg = arg};
	WITH_LOCK(&folder->mu);

	if (offset == 0 && folder->turn > 0)
		forget_pages(folder);
	for (size_t i = (size_t)offset; i < folder->kept.count && !walk.ended; i++) {
		walk.ended = !visit(&folder->kept.items[i], (off_t)i + 1, arg);
		walk.count += !walk.ended;
	}
	return walk.ended ? 0 : visit_pages(folder, &walk, (uint64_t)offset, err);
}
