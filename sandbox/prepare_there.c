/* What is in the directory already: placed by an earlier call, or in the way. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/mounts.h"
#include "sandbox/prepare_private.h"
#include "sandbox/served.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

bool prepare_is_lease_of(const struct fetchfs_lease *lease, const char *name)
{
	return leases_is_of_file(lease) && str_equal(lease->name, name);
}

char *prepare_lease_method(const struct piece *piece, enum plan_method method)
{
	static const char *const kinds[] = {
		[PIECE_FILE] = "",
		[PIECE_TREE] = LEASES_TREE,
		[PIECE_ENTRY] = LEASES_ENTRY,
		[PIECE_LAZY] = LEASES_LAZY,
	};

	return str_printf("%s%s", plan_method_name(method), kinds[piece->kind]);
}

/* Whether it could be what a mount was on. */
static bool is_empty(const struct node *node)
{
	return S_ISDIR(node->mode) || (S_ISREG(node->mode) && node->size == 0);
}

static enum there compare(const struct fetchfs_lease *lease, const struct node *node)
{
	const struct node_id id = leases_file_id(lease);

	if (lease->mount == 0)
		return node_is(&id, &node->id) ? THERE_PLACED : THERE_NOTHING;
	if (lease->of_this_boot && lease->mount == node->mount)
		return THERE_PLACED;
	return node_is(&id, &node->id) && is_empty(node) ? THERE_UNMOUNTED : THERE_NOTHING;
}

/* The lease that says what @node is, with the best word on it. */
static const struct fetchfs_lease *find_lease(
	const struct prepare *prepare, const char *name, const struct node *node, enum there *ret)
{
	const struct fetchfs_lease *found = NULL;

	*ret = THERE_NOTHING;
	for (size_t i = 0; i < prepare->before.count && *ret != THERE_PLACED; i++) {
		const struct fetchfs_lease *lease = &prepare->before.items[i];
		enum there there =
			prepare_is_lease_of(lease, name) ? compare(lease, node) : THERE_NOTHING;

		if (there == THERE_NOTHING)
			continue;
		*ret = there;
		found = lease;
	}
	return found;
}

/* What is lazy and nobody has read yet becomes @content when that comes first. */
static bool becomes(const struct fetchfs_lease *lease, const struct content *content)
{
	return leases_is_lazy(lease) && !leases_knows_content(lease) &&
	       str_equal(lease->key, content->key) &&
	       (!*lease->expected || str_equal(lease->expected, content->sha256));
}

/* What is lazy is what came first, unless it is said what that has to be. */
static bool is_content(const struct fetchfs_lease *lease, const struct content *content)
{
	const char *sha256 = content->lazy ? content->expected : content->sha256;

	if (content->lazy && !*sha256)
		return str_equal(lease->key, content->key);
	if (!content->lazy && *content->key && becomes(lease, content))
		return true;
	return str_equal(lease->sha256, sha256) ||
	       (content->lazy && str_equal(lease->expected, sha256));
}

/* Whether it is the same, and came out of it in the same way. */
static bool is_same(
	const struct fetchfs_lease *lease, const struct piece *piece, const struct content *content)
{
	const char *kind = strchr(lease->method, ':');
	const char *wanted = piece->kind == PIECE_TREE ? LEASES_TREE : LEASES_ENTRY;

	if (!is_content(lease, content))
		return false;
	if (piece->kind == PIECE_ANY)
		return true;
	if (piece->kind == PIECE_FILE || piece->kind == PIECE_LAZY)
		return !kind || leases_is_lazy(lease);
	return kind && str_equal(kind, wanted);
}

int prepare_check_there(const struct prepare *prepare, int parent, const struct piece *piece,
	const struct content *content, const struct fetchfs_lease **ret, struct err *err)
{
	const char *path = prepare->folder.path;
	struct node node;
	enum there there;
	int r = node_look(parent, folder_last(piece->name), &node);

	if (r == -ENOENT)
		return THERE_NOTHING;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "stat %s/%s: %m", path, piece->name);
	*ret = find_lease(prepare, piece->name, &node, &there);
	if (there == THERE_NOTHING)
		return err_set(err, ERR_USAGE, EEXIST, "%s/%s exists and was not placed by prepare",
			path, piece->name);
	if (content && !is_same(*ret, piece, content))
		return err_set(err, ERR_USAGE, EEXIST,
			"%s/%s is what prepare placed before it changed: release first", path,
			piece->name);
	return there;
}

void prepare_check_names(struct prepare *prepare)
{
	for (size_t i = 0; i < prepare->plan->count; i++) {
		const struct plan_item *item = &prepare->plan->items[i];
		const struct piece piece = {.name = item->name};
		const struct fetchfs_lease *lease;
		CLEANUP(fd_closep) int parent = -1;
		struct err err = ERR_INIT;
		int r;

		if (plan_is_open(item))
			continue;
		r = folder_parent(&prepare->folder, item->name, &parent, &err);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = prepare_check_there(prepare, parent, &piece, NULL, &lease, &err);
		/* placed by somebody else since: the lease was there before the name */
		if (r == -EEXIST && prepare_load_before(prepare, NULL) == 0) {
			err = ERR_INIT;
			r = prepare_check_there(prepare, parent, &piece, NULL, &lease, &err);
		}
		if (r == THERE_PLACED && leases_is_lazy(lease))
			r = served_check(
				parent, folder_last(item->name), prepare_time_left(prepare), &err);
		if (r < 0)
			prepare_fail(prepare, i, &err);
		/* it will not be quicker with the next */
		if (r == -ETIMEDOUT)
			return;
	}
}
