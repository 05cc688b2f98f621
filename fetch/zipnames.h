/*
 * Where a zip says that a name is UTF-8 (bit 11 of an entry's flags, APPNOTE 4.4.4).
 *
 * libarchive takes such a name for text, and composes its characters anew: two names that differ
 * in their bytes could become one. Without that bit a name is bytes. So it is hidden from it.
 */
#ifndef FETCHFS_FETCH_ZIPNAMES_H
#define FETCHFS_FETCH_ZIPNAMES_H

#include <stddef.h>
#include <stdint.h>

struct zipnames {
	uint64_t *places; /* of the bytes with the bit, in their order */
	size_t count;
	size_t size;
};

/*
 * Look through the central directory of the zip @fd of @size bytes, for at most @max entries. What
 * cannot be understood is where it ends: then some names stay text.
 */
void zipnames_find(struct zipnames *names, int fd, uint64_t size, size_t max);
void zipnames_release(struct zipnames *names);

/* Take the bit out of @buf, the @len bytes of the zip from @offset on. */
void zipnames_hide(const struct zipnames *names, void *buf, size_t len, uint64_t offset);

#endif
