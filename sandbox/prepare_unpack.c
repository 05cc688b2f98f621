/* From what was fetched to what will be in the directory: archives are unpacked, names are known.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/queue.h"
#include "base/str.h"
#include "sandbox/prepare_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* At the top of one archive, each of which is placed by itself. */
#define ENTRIES_MAX 4096

/* A process each, whose work is that of one processor. */
#define UNPACKED_AT_ONCE 4

void prepare_pieces_release(struct pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++) {
		free(pieces->items[i].name);
		free(pieces->items[i].inside);
	}
	free(pieces->items);
	*pieces = (struct pieces){0};
}

/* Takes @name, which may be NULL for want of memory, over. */
static int add(
	struct pieces *pieces, struct piece piece, char *name, const char *inside, struct err *err)
{
	struct piece *items = reallocarray(pieces->items, pieces->count + 1, sizeof(*items));

	if (items)
		pieces->items = items;
	piece.name = name;
	piece.inside = inside ? str_copy(inside) : NULL;
	if (!items || !name || (inside && !piece.inside)) {
		free(name);
		free(piece.inside);
		return err_oom(err);
	}
	items[pieces->count++] = piece;
	return 0;
}

static int add_entry(
	struct prepare *prepare, size_t i, const char *inside, const char *name, struct err *err)
{
	struct piece piece = {.kind = PIECE_ENTRY, .item = i};
	struct stat st;

	if (fstatat(fetchfs_tree_fd(prepare->trees[i]), inside, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s of an archive: %m", inside);
	piece.mode = st.st_mode;
	piece.modified = st.st_mtim;
	return add(&prepare->pieces[i], piece, str_copy(name), inside, err);
}

static void close_listp(DIR **list)
{
	if (*list)
		closedir(*list);
}

static int compare_pieces(const void *a, const void *b)
{
	return plan_compare_names(((const struct piece *)a)->name, ((const struct piece *)b)->name);
}

/* In the folder that the item would be in. */
static int add_entry_beside(struct prepare *prepare, size_t i, const char *inside, struct err *err)
{
	const char *item = prepare->plan->items[i].name;
	CLEANUP(str_freep)
	char *name = str_printf("%.*s%s", (int)(folder_last(item) - item), item, inside);

	return name ? add_entry(prepare, i, inside, name, err) : err_oom(err);
}

static int add_entries(struct prepare *prepare, size_t i, struct err *err)
{
	CLEANUP(close_listp) DIR *list = NULL;
	struct pieces *pieces = &prepare->pieces[i];
	int fd =
		openat(fetchfs_tree_fd(prepare->trees[i]), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;
	int r = 0;

	list = fd < 0 ? NULL : fdopendir(fd);
	if (!list) {
		fd_close(&fd);
		return err_set(err, ERR_SYSTEM, errno, "list an archive: %m");
	}
	while (r == 0 && (errno = 0, item = readdir(list))) {
		if (str_equal(item->d_name, ".") || str_equal(item->d_name, ".."))
			continue;
		if (pieces->count == ENTRIES_MAX)
			return err_set(err, ERR_USAGE, E2BIG,
				"more than %d things at its top: say output_file", ENTRIES_MAX);
		r = add_entry_beside(prepare, i, item->d_name, err);
	}
	if (r == 0 && errno)
		return err_set(err, ERR_SYSTEM, errno, "list an archive: %m");
	if (pieces->count > 1)
		qsort(pieces->items, pieces->count, sizeof(*pieces->items), compare_pieces);
	return r;
}

/* ---- unpacking: some at a time ---- */

struct unpacking {
	struct prepare *prepare;
	size_t i;
	int r;
	struct err err; /* if r is negative */
};

static void unpack(void *arg)
{
	struct unpacking *unpacking = arg;
	struct prepare *prepare = unpacking->prepare;
	size_t i = unpacking->i;

	unpacking->r = fetchfs_tree_open(
		prepare->files[i], prepare_time_left(prepare), &prepare->trees[i], &unpacking->err);
	if (unpacking->r == -ETIMEDOUT && prepare_time_left(prepare) == 0)
		prepare_too_late(prepare, &unpacking->err);
}

/* What is no archive is placed as it is: many frameworks ask for all to be unpacked. */
static void conclude(const struct unpacking *unpacking)
{
	struct prepare *prepare = unpacking->prepare;
	size_t i = unpacking->i;

	if (unpacking->r < 0 && unpacking->r != -ENOTSUP) {
		prepare_fail(prepare, i, &unpacking->err);
		return;
	}
	prepare->results[i].extracted = unpacking->r == 0;
	prepare->results[i].single = unpacking->r == 0 && fetchfs_tree_is_single(prepare->trees[i]);
}

static int unpack_all(struct prepare *prepare, struct err *err)
{
	size_t count = 0;
	struct unpacking *all = calloc(prepare->plan->count + 1, sizeof(*all));
	struct queue *queue = NULL;
	int r = all ? queue_new("unpack", UNPACKED_AT_ONCE, &queue, err) : err_oom(err);

	for (size_t i = 0; i < prepare->plan->count && r == 0; i++) {
		if (!prepare->plan->items[i].extract || prepare->results[i].err.code)
			continue;
		all[count] = (struct unpacking){.prepare = prepare, .i = i};
		r = queue_push(queue, unpack, &all[count], err);
		count += r == 0;
	}
	if (queue)
		queue_free(queue);
	for (size_t k = 0; k < count; k++)
		conclude(&all[k]);
	free(all);
	return r;
}

/* ---- names ---- */

static int list(struct prepare *prepare, size_t i, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	const struct prepared *result = &prepare->results[i];
	struct piece whole = {
		.kind = result->extracted ? PIECE_TREE
			: result->lazy    ? PIECE_LAZY
					  : PIECE_FILE,
		.mode = S_IFREG,
		.item = i,
	};
	CLEANUP(str_freep) char *name = NULL;

	if (result->extracted && !result->single && !item->named)
		return add_entries(prepare, i, err);
	name = prepare_name(item, result);
	if (!name)
		return err_oom(err);
	if (result->single)
		return add_entry(prepare, i, FETCHFS_TREE_SINGLE, name, err);
	if (result->extracted)
		whole.mode = S_IFDIR;
	return add(&prepare->pieces[i], whole, str_steal(&name), NULL, err);
}

/* ---- all names together ---- */

static int compare_pointers(const void *a, const void *b)
{
	const struct piece *x = *(const struct piece *const *)a;
	const struct piece *y = *(const struct piece *const *)b;
	int r = plan_compare_names(x->name, y->name);

	return r != 0 ? r : (x->item > y->item) - (x->item < y->item);
}

/* Whether they are in each other's way. */
static bool check_two(struct prepare *prepare, const struct piece *piece, const struct piece *next)
{
	enum plan_clash clash = plan_clash(piece->name, next->name);
	size_t later = piece->item > next->item ? piece->item : next->item;
	size_t earlier = piece->item > next->item ? next->item : piece->item;
	struct err err = ERR_INIT;

	if (clash == PLAN_APART)
		return false;
	err_set(&err, ERR_USAGE, EINVAL, "%s is also %s %s: say output_file", piece->name,
		clash == PLAN_SAME ? "the name of something of" : "a folder for",
		prepare->plan->items[earlier].shown);
	prepare_fail(prepare, later, &err);
	return true;
}

static int check_all(struct prepare *prepare, struct err *err)
{
	const struct piece **sorted;
	size_t total = 0, n = 0;

	for (size_t i = 0; i < prepare->plan->count; i++)
		total += prepare->pieces[i].count;
	sorted = calloc(total + 1, sizeof(*sorted));
	if (!sorted)
		return err_oom(err);
	for (size_t i = 0; i < prepare->plan->count; i++)
		for (size_t k = 0; k < prepare->pieces[i].count; k++)
			sorted[n++] = &prepare->pieces[i].items[k];
	qsort(sorted, n, sizeof(*sorted), compare_pointers);
	for (size_t k = 1, last = 0; k < n; k++)
		if (!check_two(prepare, sorted[last], sorted[k]))
			last = k;
	free(sorted);
	return 0;
}

int prepare_unpack(struct prepare *prepare, struct err *err)
{
	int r = unpack_all(prepare, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < prepare->plan->count; i++) {
		struct err why = ERR_INIT;

		if (!prepare->results[i].err.code && list(prepare, i, &why) < 0)
			prepare_fail(prepare, i, &why);
	}
	return prepare_goes_on(prepare) ? check_all(prepare, err) : 0;
}
