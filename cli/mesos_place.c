#include "cli/mesos_place.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/mesos_log.h"
#include "sandbox/put.h"
#include "sandbox/unfold.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GZIP_SUFFIX ".gz"
#define SINGLE_NAME "data" /* of fetchfs_tree_is_single() */

enum mesos_suffix mesos_place_suffix(const char *name)
{
	static const char *const archives[] = {
		".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"};

	for (size_t i = 0; i < ARRAY_SIZE(archives); i++)
		if (str_has_suffix(name, archives[i]))
			return MESOS_ARCHIVE;
	return str_has_suffix(name, GZIP_SUFFIX) ? MESOS_GZIP : MESOS_PLAIN;
}

/* No folder that is made on the way has to be remembered. */
static int ignore_made(const char *name, const struct node_id *id, void *arg, struct err *err)
{
	(void)name;
	(void)id;
	(void)arg;
	(void)err;
	return 0;
}

/* The agent has made files for what this process prints: a download of their name would end them.
 */
static int check_log(int parent, const char *name, const char *shown, struct err *err)
{
	struct stat there;
	struct stat log;

	if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &log) == 0 && log.st_dev == there.st_dev &&
			log.st_ino == there.st_ino)
			return err_set(err, ERR_USAGE, EEXIST,
				"'%s' is where this fetcher's own words go", shown);
	return 0;
}

static int put(const struct mesos_run *run, const char *name, const char *shown, struct put *put,
	struct err *err)
{
	CLEANUP(fd_closep) int parent = -1;
	int r = folder_make_parent(&run->sandbox, name, ignore_made, NULL, &parent, err);

	put->user = run->user;
	put->parent = parent;
	put->name = folder_last(name);
	if (r == 0)
		r = check_log(parent, put->name, shown, err);
	if (r < 0)
		return r;
	r = put_file(put, NULL);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "Failed to write '%s/%s': %m",
			run->sandbox.path, shown);
	return 0;
}

/* Whether a second name of what the cache has may be handed out: to everybody's bytes only. */
static bool may_hardlink(
	const struct mesos_run *run, const struct mesos_job *job, struct fetchfs_file *file)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};

	if (!run->hardlink || job->item->executable || job->path)
		return false;
	return fetchfs_file_info(file, &info, NULL) == 0 && info.is_public;
}

int mesos_place_copy(struct mesos_run *run, const struct mesos_job *job, struct fetchfs_file *file,
	mode_t mode, struct err *err)
{
	struct put order = {
		.source = fetchfs_file_fd(file),
		.mode = mode,
		.hardlink = may_hardlink(run, job, file),
	};
	struct fetchfs_loan loan = {.fd = -1};
	int r = order.hardlink ? fetchfs_loan_of_file(file, &loan, err) : 0;

	if (r == 0)
		r = put(run, job->name, job->shown_name, &order, err);
	(void)fetchfs_loan_end(run->fetchfs, &loan, NULL);
	return r;
}

/* NAME.gz is NAME, in the top folder. */
static int place_single(
	struct mesos_run *run, const struct mesos_job *job, int tree, struct err *err)
{
	CLEANUP(fd_closep)
	int source = openat(tree, SINGLE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(str_freep) char *stem = str_copy(folder_last(job->name));
	struct put order = {.source = source, .mode = 0644};
	int r;

	if (!stem)
		return err_oom(err);
	if (source < 0)
		return err_set(err, ERR_SYSTEM, errno, "open what was compressed: %m");
	stem[strlen(stem) - strlen(GZIP_SUFFIX)] = '\0';
	if (!*stem || str_equal(stem, ".") || str_equal(stem, ".."))
		return err_set(err, ERR_USAGE, EINVAL, "its name is nothing but a suffix");
	r = put(run, stem, str_equal(job->name, job->shown_name) ? stem : "…", &order, err);
	if (r == 0)
		mesos_log(MESOS_INFO, "Extracted '%s/%s' into '%s'", run->sandbox.path,
			job->shown_name, run->sandbox.path);
	return r;
}

static int place_tree(struct mesos_run *run, const struct mesos_job *job,
	const struct fetchfs_tree *tree, enum mesos_suffix suffix, struct err *err)
{
	const struct unfold unfold = {.folder = &run->sandbox, .tree = fetchfs_tree_fd(tree)};

	if (!fetchfs_tree_is_single(tree))
		return unfold_tree(&unfold, err);
	if (suffix == MESOS_GZIP)
		return place_single(run, job, fetchfs_tree_fd(tree), err);
	return err_set(err, ERR_USAGE, ENOTSUP, "Unrecognized archive format");
}

static bool is_empty(struct fetchfs_file *file)
{
	struct stat st;

	return fstat(fetchfs_file_fd(file), &st) == 0 && st.st_size == 0;
}

int mesos_place_content(struct mesos_run *run, const struct mesos_job *job,
	struct fetchfs_file *file, enum mesos_suffix suffix, struct err *err)
{
	struct fetchfs_tree *tree;
	int r;

	if (suffix == MESOS_ARCHIVE && is_empty(file))
		return 0;
	r = fetchfs_tree_open(file, -1, &tree, err);
	if (r == -ENOTSUP)
		r = err_set(err, ERR_USAGE, ENOTSUP, "Unrecognized archive format");
	if (r == 0) {
		r = place_tree(run, job, tree, suffix, err);
		fetchfs_tree_free(tree);
	}
	return r < 0 ? err_context(err, "Failed to extract archive '%s'", job->shown_name) : 0;
}
