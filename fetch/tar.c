#include "fetch/tar.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/entryname.h"
#include "fetch/libarchive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (256 * 1024) /* bytes of a read or write */

/* More than any tar fills its last block up with. */
#define DRAIN_MAX (1 << 20)

/* ---- writing ---- */

struct tar_writer {
	struct archive *archive;
	struct archive_entry *entry;
	int fd;
	bool ended; /* what the library still has to say goes nowhere */
	int error;  /* errno of the write that failed */
};

/* What fails is not told to the library, which would lose memory over it, but remembered. */
static la_ssize_t write_bytes(struct archive *archive, void *arg, const void *buf, size_t len)
{
	struct tar_writer *writer = arg;

	(void)archive;
	if (!writer->ended && !writer->error)
		writer->error = -fd_write_all(writer->fd, buf, len);
	return (la_ssize_t)len;
}

/* Whether all went well: the library says so in @fine. */
static int check_written(const struct tar_writer *writer, bool fine, struct err *err)
{
	const char *why;

	if (writer->error)
		return err_set(err, writer->error == ENOSPC ? ERR_SPACE : ERR_SYSTEM, writer->error,
			"write the archive: %m");
	if (fine)
		return 0;
	why = archive_error_string(writer->archive);
	return err_set(err, ERR_SYSTEM, EIO, "write the archive: %s", why ? why : "no reason");
}

int tar_writer_new(int fd, struct tar_writer **ret, struct err *err)
{
	CLEANUP(tar_writer_freep) struct tar_writer *writer = NULL;
	int r = libarchive_load(err);

	if (r < 0)
		return r;
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return err_oom(err);
	writer->fd = fd;
	writer->archive = archive_write_new();
	writer->entry = archive_entry_new();
	if (!writer->archive || !writer->entry)
		return err_oom(err);
	/* the same bytes whatever @fd is: the last block is not filled up */
	if (archive_write_set_format_pax_restricted(writer->archive) != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(writer->archive, BLOCK) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(writer->archive, 1) != ARCHIVE_OK ||
		archive_write_open2(writer->archive, writer, NULL, write_bytes, NULL, NULL) !=
			ARCHIVE_OK)
		return check_written(writer, false, err);
	*ret = writer;
	writer = NULL;
	return 0;
}

int tar_writer_file(struct tar_writer *writer, const char *name, uint64_t size, struct err *err)
{
	struct archive_entry *entry = archive_entry_clear(writer->entry);

	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0444);
	archive_entry_set_size(entry, (la_int64_t)size);
	return check_written(
		writer, archive_write_header(writer->archive, entry) == ARCHIVE_OK, err);
}

int tar_writer_bytes(struct tar_writer *writer, const void *buf, size_t len, struct err *err)
{
	la_ssize_t n = archive_write_data(writer->archive, buf, len);

	return check_written(writer, n == (la_ssize_t)len, err);
}

int tar_writer_finish(struct tar_writer *writer, struct err *err)
{
	return check_written(writer, archive_write_close(writer->archive) == ARCHIVE_OK, err);
}

void tar_writer_free(struct tar_writer *writer)
{
	if (!writer)
		return;
	/* else it would write an end where there is none */
	writer->ended = true;
	if (writer->archive)
		archive_write_free(writer->archive);
	if (writer->entry)
		archive_entry_free(writer->entry);
	free(writer);
}

void tar_writer_freep(struct tar_writer **writer)
{
	tar_writer_free(*writer);
	*writer = NULL;
}

/* ---- reading ---- */

struct tar_reader {
	struct archive *archive;
	int fd;
	int error;         /* errno of the read that failed */
	bool is_file;      /* it can be skipped in, … */
	int64_t file_size; /* … up to here */
	bool any;          /* something was read, … */
	bool begun;        /* … and looked at */
	uint64_t size;     /* of the member */
	uint64_t position; /* in it */
	char name[ENTRYNAME_SHOWN];
	char buf[BLOCK];
};

static la_ssize_t read_bytes(struct archive *archive, void *arg, const void **ret)
{
	struct tar_reader *reader = arg;
	ssize_t n;

	do
		n = read(reader->fd, reader->buf, sizeof(reader->buf));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		reader->error = errno;
		archive_set_error(archive, reader->error, "%s", strerror(reader->error));
		return ARCHIVE_FATAL;
	}
	reader->any |= n > 0;
	*ret = reader->buf;
	return n;
}

/* Not beyond the end of the file, where nobody would notice that it is cut off. */
static la_int64_t skip_bytes(struct archive *archive, void *arg, la_int64_t count)
{
	struct tar_reader *reader = arg;
	off_t at;

	(void)archive;
	if (!reader->is_file)
		return 0;
	at = lseek(reader->fd, 0, SEEK_CUR);
	if (at < 0 || at >= reader->file_size)
		return 0;
	if (count > reader->file_size - at)
		count = reader->file_size - at;
	return lseek(reader->fd, count, SEEK_CUR) < 0 ? 0 : count;
}

/* The library's last word. */
static int cannot_read(const struct tar_reader *reader, struct err *err)
{
	const char *why = archive_error_string(reader->archive);

	if (reader->error)
		return err_set(err, ERR_SYSTEM, reader->error, "read the archive: %m");
	if (archive_errno(reader->archive) == ENOMEM)
		return err_oom(err);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "broken archive: %s", why ? why : "no reason");
}

/* What begins so would be read if the user decompressed it. */
static const struct {
	const char *magic;
	const char *program;
} compressed[] = {
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"\x1f\x8b", "gzip"},
	{"\xfd\x37\x7a\x58\x5a", "xz"},
	{"BZh", "bzip2"},
};

static int not_a_tar(const struct tar_reader *reader, struct err *err)
{
	if (!reader->any && !reader->error)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "it is empty");
	for (size_t i = 0; i < ARRAY_SIZE(compressed); i++)
		if (memcmp(reader->buf, compressed[i].magic, strlen(compressed[i].magic)) == 0)
			return err_set(err, ERR_USAGE, ENOTSUP,
				"it is compressed: pipe it through '%s -dc'",
				compressed[i].program);
	return cannot_read(reader, err);
}

int tar_reader_new(int fd, struct tar_reader **ret, struct err *err)
{
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	struct stat st;
	int r = libarchive_load(err);

	if (r < 0)
		return r;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return err_oom(err);
	reader->fd = fd;
	reader->archive = archive_read_new();
	if (!reader->archive)
		return err_oom(err);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		reader->is_file = true;
		reader->file_size = st.st_size;
	}
	if (archive_read_support_format_tar(reader->archive) != ARCHIVE_OK)
		return cannot_read(reader, err);
	archive_read_set_read_callback(reader->archive, read_bytes);
	archive_read_set_skip_callback(reader->archive, skip_bytes);
	archive_read_set_callback_data(reader->archive, reader);
	r = archive_read_open1(reader->archive);
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return not_a_tar(reader, err);
	*ret = reader;
	reader = NULL;
	return 0;
}

static int next_header(struct tar_reader *reader, struct archive_entry **ret, struct err *err)
{
	bool first = !reader->begun;
	int r = libarchive_next(reader->archive, ret);

	reader->begun = true;
	if (r >= 0)
		return r;
	return first ? not_a_tar(reader, err) : cannot_read(reader, err);
}

int tar_reader_next(
	struct tar_reader *reader, const char **ret_name, uint64_t *ret_size, struct err *err)
{
	struct archive_entry *entry;
	const char *name;
	int r = next_header(reader, &entry, err);

	if (r <= 0)
		return r;
	name = archive_entry_pathname(entry);
	entryname_show(name ? name : "", reader->name);
	if (!name)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "broken archive: a name of no bytes");
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
		archive_entry_symlink(entry) || !archive_entry_size_is_set(entry) ||
		archive_entry_size(entry) < 0)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "broken archive: %s is no plain file",
			reader->name);
	reader->size = (uint64_t)archive_entry_size(entry);
	reader->position = 0;
	*ret_name = name;
	*ret_size = reader->size;
	return 1;
}

static int sparse(const struct tar_reader *reader, struct err *err)
{
	return err_set(err, ERR_INTEGRITY, EBADMSG, "broken archive: %s has gaps", reader->name);
}

int tar_reader_bytes(struct tar_reader *reader, const void **ret, size_t *ret_len, struct err *err)
{
	la_int64_t offset;

	for (;;) {
		switch (archive_read_data_block(reader->archive, ret, ret_len, &offset)) {
		case ARCHIVE_EOF:
			return reader->position == reader->size ? 0 : sparse(reader, err);
		case ARCHIVE_OK:
		case ARCHIVE_WARN:
			break;
		default:
			return cannot_read(reader, err);
		}
		if (offset < 0 || (uint64_t)offset != reader->position ||
			*ret_len > reader->size - reader->position)
			return sparse(reader, err);
		reader->position += *ret_len;
		if (*ret_len > 0)
			return 1;
	}
}

void tar_reader_drain(struct tar_reader *reader)
{
	size_t sum = 0;
	ssize_t n = 0;

	while (!reader->is_file && sum < DRAIN_MAX && n >= 0) {
		n = read(reader->fd, reader->buf, sizeof(reader->buf));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		sum += n > 0 ? (size_t)n : 0;
		n = 0;
	}
}

void tar_reader_free(struct tar_reader *reader)
{
	if (!reader)
		return;
	if (reader->archive)
		archive_read_free(reader->archive);
	free(reader);
}

void tar_reader_freep(struct tar_reader **reader)
{
	tar_reader_free(*reader);
	*reader = NULL;
}
