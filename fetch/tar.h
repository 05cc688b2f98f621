/*
 * Archives of regular files one after the other, as any tar(1) reads them: POSIX ustar, with pax
 * headers for what that cannot hold (files of 8 GiB and more). Never seeks where it writes; reads
 * from pipes, too. A member has a name and bytes, and nothing else of this machine: the same files
 * make the same archive.
 *
 *	tar_writer_new(fd, &writer, err);
 *	tar_writer_file(writer, "name", size, err);
 *	tar_writer_bytes(writer, buf, len, err);        until all @size bytes are there
 *	tar_writer_finish(writer, err);                 else it ends in the middle
 *	tar_writer_free(writer);
 *
 * One thread at a time. Loads libarchive; -ELIBACC when that cannot be.
 */
#ifndef FETCHFS_FETCH_TAR_H
#define FETCHFS_FETCH_TAR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tar_writer;

/* @fd stays the caller's, and open for as long as the writer lives. -EPIPE: nobody reads. */
int tar_writer_new(int fd, struct tar_writer **ret, struct err *err);
int tar_writer_file(struct tar_writer *writer, const char *name, uint64_t size, struct err *err);
int tar_writer_bytes(struct tar_writer *writer, const void *buf, size_t len, struct err *err);
int tar_writer_finish(struct tar_writer *writer, struct err *err);
void tar_writer_free(struct tar_writer *writer);
void tar_writer_freep(struct tar_writer **writer); /* for CLEANUP() */

struct tar_reader;

/* @fd is read from where it is; it stays the caller's. */
int tar_reader_new(int fd, struct tar_reader **ret, struct err *err);

/*
 * The next file: 1, with its name, which is the reader's until the next call, and size in bytes.
 * What was not read of the one before is passed over. 0: there are no more. -EBADMSG: it is no tar,
 * it is damaged, or cut off inside of a member, or holds something else than plain files: links,
 * devices, folders. -ENOTSUP: it is compressed.
 */
int tar_reader_next(
	struct tar_reader *reader, const char **ret_name, uint64_t *ret_size, struct err *err);

/*
 * Some bytes of the file, in order, without gaps: 1, and *ret is the reader's until the next call.
 * 0: that was all of it. -EBADMSG also when it is a sparse one.
 */
int tar_reader_bytes(struct tar_reader *reader, const void **ret, size_t *ret_len, struct err *err);

/* Read to the end what follows the archive, so that who writes it into a pipe is not told that
 * nobody reads. */
void tar_reader_drain(struct tar_reader *reader);
void tar_reader_free(struct tar_reader *reader);
void tar_reader_freep(struct tar_reader **reader); /* for CLEANUP() */

#endif
