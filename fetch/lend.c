/* Objects that are linked or mounted elsewhere: fetchfs_loan_…(), fetchfs_file_open_named(). */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "fetch/context.h"
#include "fetch/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t nanoseconds(const struct timespec *time)
{
	return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

/*
 * Whether @object, whose time of change is @changed_ns now, was right then: it was when it was
 * opened for reading (@seen_ns), or as of the last time that somebody was sure. 1, 0 or -errno.
 */
static int is_right(struct fetchfs *fetchfs, const struct object *object, int64_t changed_ns,
	int64_t seen_ns, struct err *err)
{
	struct catalog_file row;
	int r;

	if (changed_ns == seen_ns)
		return 1;
	r = catalog_file(fetchfs->catalog, &object->digest, object->executable, &row, err);
	return r < 0 ? r : row.lent == changed_ns;
}

static int begin(struct fetchfs *fetchfs, const struct object *object, int64_t seen_ns,
	struct fetchfs_loan *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 0);
	struct fetchfs_loan loan = {.executable = object->executable};
	int64_t changed_ns;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat an object: %m");
	changed_ns = nanoseconds(&st.st_ctim);
	r = is_right(fetchfs, object, changed_ns, seen_ns, err);
	if (r < 0)
		return r;
	loan.is_right = r > 0;
	loan.modified_ns = nanoseconds(&st.st_mtim);
	loan.fd = fd_steal(&fd);
	digest_hex(&object->digest, loan.sha256);
	*ret = loan;
	return 0;
}

/*
 * When @object was seen last, and was right. What was small and has just been made was open before
 * it had its name, the giving of which has moved its time: nobody but us has had it since.
 */
static int64_t seen(struct fetchfs *fetchfs, const struct object *object)
{
	CLEANUP(object_release) struct object named = {.fd = -1};

	if (object->changed_ns != 0)
		return object->changed_ns;
	if (store_open(&fetchfs->store, &object->digest, object->executable, &named, NULL) < 0 ||
		named.linked || named.odd)
		return 0;
	return named.changed_ns;
}

/* Noted before there is the other name: whoever dies in between leaves a file that is looked at. */
int fetchfs_loan_of_file(struct fetchfs_file *file, struct fetchfs_loan *ret, struct err *err)
{
	struct fetchfs *fetchfs = file_fetchfs(file);
	struct object object;
	int r = file_object(file, &object, err);

	if (r == 0)
		object.changed_ns = seen(fetchfs, &object);
	if (r == 0)
		r = catalog_lend(fetchfs->catalog, &object.digest, object.executable,
			object.changed_ns, err);
	return r < 0 ? r : begin(fetchfs, &object, object.changed_ns, ret, err);
}

int fetchfs_loan_of_lease(struct fetchfs *fetchfs, const struct fetchfs_lease *lease,
	struct fetchfs_loan *ret, struct err *err)
{
	struct digest digest;
	int r = digest_parse(lease->sha256, &digest, err);

	for (int executable = 0; r == 0 && executable <= 1; executable++) {
		CLEANUP(object_release) struct object object = {.fd = -1};
		struct stat st;

		if (store_open(&fetchfs->store, &digest, executable, &object, NULL) == 0 &&
			fstat(object.fd, &st) == 0 && st.st_ino == lease->file_inode)
			return begin(fetchfs, &object, 0, ret, err);
	}
	return r < 0 ? r : err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
}

/* The link itself has moved the time of change; anything else would have moved others, too. */
int fetchfs_loan_end(struct fetchfs *fetchfs, struct fetchfs_loan *loan, struct err *err)
{
	CLEANUP(fd_closep) int fd = loan->fd;
	struct digest digest;
	struct stat st;
	int r;

	loan->fd = -1;
	if (fd < 0 || !loan->is_right)
		return 0;
	r = digest_parse(loan->sha256, &digest, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat an object: %m");
	if (nanoseconds(&st.st_mtim) != loan->modified_ns || st.st_uid != geteuid())
		return 0; /* to be read before the next hand-out */
	return catalog_lend(
		fetchfs->catalog, &digest, loan->executable, nanoseconds(&st.st_ctim), err);
}

int fetchfs_file_open_named(struct fetchfs_file *file, int *ret, struct err *err)
{
	struct object object, named;
	int r = file_object(file, &object, err);

	if (r == 0)
		r = store_open(
			&file_fetchfs(file)->store, &object.digest, object.executable, &named, err);
	if (r == 0)
		*ret = named.fd;
	return r;
}
