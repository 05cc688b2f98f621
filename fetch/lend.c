/* Objects that are linked or mounted elsewhere: fetchfs_file_lend(), _lent(), _open_named(). */
#include "fetch/fetchfs.h"

#include "fetch/context.h"
#include "fetch/file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t nanoseconds(const struct timespec *time)
{
	return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

static int note(
	struct fetchfs_file *file, const struct object *object, int64_t changed_ns, struct err *err)
{
	return catalog_lend(
		file_fetchfs(file)->catalog, &object->digest, object->executable, changed_ns, err);
}

/* Whether @object, whose time of change is @changed_ns now, was right then: it was when it was
 * opened, or as of a link that somebody else made since. */
static int is_right(
	struct fetchfs_file *file, const struct object *object, int64_t changed_ns, struct err *err)
{
	struct catalog_file row;
	int r;

	if (changed_ns == object->changed_ns)
		return 1;
	r = catalog_file(
		file_fetchfs(file)->catalog, &object->digest, object->executable, &row, err);
	return r < 0 ? r : row.lent == changed_ns;
}

/* Noted before there is the other name: whoever dies in between leaves a file that is looked at. */
int fetchfs_file_lend(struct fetchfs_file *file, struct fetchfs_loan *ret, struct err *err)
{
	struct object object;
	int64_t changed_ns;
	struct stat st;
	int r = file_object(file, &object, err);

	if (r < 0)
		return r;
	if (fstat(object.fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat an object: %m");
	changed_ns = nanoseconds(&st.st_ctim);
	r = is_right(file, &object, changed_ns, err);
	if (r < 0)
		return r;
	*ret = (struct fetchfs_loan){
		.modified_ns = nanoseconds(&st.st_mtim),
		.is_right = r > 0,
	};
	return note(file, &object, ret->is_right ? changed_ns : object.changed_ns, err);
}

/* The link itself has moved the time of change; anything else would have moved others, too. */
int fetchfs_file_lent(struct fetchfs_file *file, const struct fetchfs_loan *loan, struct err *err)
{
	struct object object;
	struct stat st;
	int r = file_object(file, &object, err);

	if (r < 0 || !loan->is_right)
		return r;
	if (fstat(object.fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat an object: %m");
	if (nanoseconds(&st.st_mtim) != loan->modified_ns || (uint64_t)st.st_size != object.size ||
		st.st_uid != geteuid())
		return 0; /* to be read before the next hand-out */
	return note(file, &object, nanoseconds(&st.st_ctim), err);
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
