#include "fetch/twin.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

#define COPY_SIZE (1024 * 1024)

int twin_copy(const struct object *object, struct partial *partial, struct err *err)
{
	CLEANUP(str_freep) char *buf = malloc(COPY_SIZE);
	struct partial_writer *writer;
	uint64_t offset = 0;
	int r;

	if (!buf)
		return err_oom(err);
	r = partial_writer_new(partial, 0, &writer, err);
	while (r == 0 && offset < object->size) {
		ssize_t n = fd_pread_full(object->fd, buf, COPY_SIZE, offset);

		if (n <= 0) {
			r = err_set(err, ERR_SYSTEM, n < 0 ? (int)-n : EIO, "read an object: %m");
			break;
		}
		r = partial_write(writer, buf, (size_t)n, err);
		offset += (uint64_t)n;
	}
	partial_writer_free(writer);
	return r;
}

int twin_make(struct flight *flight, const struct object *object, const struct entry *entry,
	struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	struct ranges_version version = {
		.size = (int64_t)object->size, .modified = entry->modified};
	const struct checksum expected = checksum_of_digest(&object->digest);
	struct partial_label label = flight_label(flight);
	struct partial *partial = NULL;
	struct entry twin = {0};
	int r;

	if (!entry_copy(entry, &twin))
		return err_oom(err);
	twin.executable = !entry->executable;
	/* for everybody else what was wanted as an executable is one */
	twin.beside = entry->executable;
	twin.uid = label.uid;
	label.since = entry->verified * 1000; /* nobody is asked for it */
	r = partial_create(&flight->fetchfs->store, &label, &partial, err);
	if (r == 0)
		r = partial_start(partial, &version, err);
	if (r == 0)
		r = twin_copy(object, partial, err);
	if (r == 0)
		r = partial_commit(&partial, object->size, &expected, &twin, ret_object, err);
	if (r < 0) {
		if (partial)
			partial_fail(&partial, err, false);
		entry_release(&twin);
		return r;
	}
	*ret_entry = twin;
	return 0;
}
