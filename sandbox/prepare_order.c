/* What is placed for a piece: the cached bytes, the mount's file, a link. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/placing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void prepare_means_release(struct placing_means *means)
{
	fd_close(&means->source);
	free(means->target);
	*means = PLACING_MEANS_INIT;
}

/* In the mount what is compressed by itself has the name that it has when it is placed. */
static int make_target(const struct placing *placing, struct placing_means *means, struct err *err)
{
	const struct piece *piece = placing->piece;
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(str_freep) char *single = NULL;
	const char *mount = placing->prepare->plan->mount;
	int r = fetchfs_mount_path(placing->item->uri, &path, err);

	if (r < 0)
		return r;
	if (placing->result->single) {
		single = fetchfs_tree_single_name(folder_last(path));
		if (!single)
			return err_oom(err);
	}
	if (piece->kind == PIECE_ENTRY)
		means->target = str_printf(
			"%s/%s.unpacked/%s", mount, path, single ? single : piece->inside);
	else
		means->target = str_printf(
			"%s/%s%s", mount, path, piece->kind == PIECE_TREE ? ".unpacked" : "");
	return means->target ? 0 : err_oom(err);
}

/* A symbolic link that was in an archive is one in the directory, whatever the method. */
static int read_link(const struct placing *placing, struct placing_means *means, struct err *err)
{
	int tree = fetchfs_tree_fd(placing->prepare->trees[placing->i]);
	char target[PATH_MAX];
	ssize_t len = readlinkat(tree, placing->piece->inside, target, sizeof(target) - 1);

	if (len < 0)
		return err_set(err, ERR_SYSTEM, errno, "read link %s of an archive: %m",
			placing->piece->inside);
	target[len] = '\0';
	means->target = str_copy(target);
	return means->target ? 0 : err_oom(err);
}

static int open_source(const struct placing *placing, enum plan_method method,
	struct placing_means *means, struct err *err)
{
	const struct piece *piece = placing->piece;
	const char *inside = piece->kind == PIECE_ENTRY ? piece->inside : ".";
	struct fetchfs_file *file = placing->prepare->files[placing->i];

	if (piece->kind == PIECE_LAZY)
		return prepare_open_lazy(placing->prepare, placing->i, &means->source, err);
	if (piece->kind == PIECE_FILE && method == PLAN_BIND)
		return fetchfs_file_open_named(file, &means->source, err);
	if (piece->kind == PIECE_FILE)
		means->source = fcntl(fetchfs_file_fd(file), F_DUPFD_CLOEXEC, 3);
	else
		means->source = openat(fetchfs_tree_fd(placing->prepare->trees[placing->i]), inside,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return means->source < 0 ? err_set(err, ERR_SYSTEM, errno, "open what is placed as %s: %m",
					   piece->name)
				 : 0;
}

static mode_t mode_of(const struct placing *placing)
{
	const struct plan_item *item = placing->item;

	if (placing->piece->kind == PIECE_TREE || placing->piece->kind == PIECE_ENTRY)
		return placing->piece->mode & S_IXUSR ? 0755 : 0644;
	return item->mode >= 0 ? (mode_t)item->mode : item->executable ? 0755 : 0644;
}

int prepare_order(const struct placing *placing, enum plan_method method,
	struct placing_means *means, struct place_order *ret, struct err *err)
{
	const struct piece *piece = placing->piece;
	bool is_link = method != PLAN_SYMLINK && S_ISLNK(piece->mode);
	int r = 0;

	if (is_link)
		r = read_link(placing, means, err);
	else if (method == PLAN_SYMLINK)
		r = make_target(placing, means, err);
	else
		r = open_source(placing, method, means, err);
	*ret = (struct place_order){
		.folder = &placing->prepare->folder,
		.parent = placing->parent,
		.name = piece->name,
		.method = is_link ? PLAN_SYMLINK : method,
		.source = means->source,
		.is_folder = S_ISDIR(piece->mode),
		.target = means->target,
		.mode = mode_of(placing),
		.modified = piece->kind == PIECE_ENTRY ? &piece->modified : NULL,
		.intend = prepare_intend,
		.arg = (void *)(uintptr_t)placing,
	};
	return r;
}
