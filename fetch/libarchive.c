/* What stands in for libarchive; see base/library.h. */
#include "fetch/libarchive.h"

#include "base/library.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdarg.h>
#include <stdio.h>

/* The parameters have our names, not those that this version of it has in its headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static struct library library = LIBRARY_INIT(FETCHFS_LIBARCHIVE);

#define FUNCTION(type, name, params, args) LIBRARY_FUNCTION(&library, type, name, params, args)
#define OF_ARCHIVE(type, name)             FUNCTION(type, name, (struct archive * archive), (archive))
#define OF_ENTRY(type, name)               FUNCTION(type, name, (struct archive_entry * entry), (entry))

int libarchive_load(struct err *err)
{
	return library_load(&library, err);
}

FUNCTION(struct archive_entry *, archive_entry_new, (void), ())
OF_ENTRY(struct archive_entry *, archive_entry_clear)
OF_ENTRY(void, archive_entry_free)
FUNCTION(void, archive_entry_set_filetype, (struct archive_entry * entry, unsigned int type),
	(entry, type))
FUNCTION(void, archive_entry_set_pathname, (struct archive_entry * entry, const char *name),
	(entry, name))
FUNCTION(void, archive_entry_set_perm, (struct archive_entry * entry, mode_t mode), (entry, mode))
FUNCTION(void, archive_entry_set_size, (struct archive_entry * entry, la_int64_t size),
	(entry, size))

OF_ENTRY(mode_t, archive_entry_filetype)
OF_ENTRY(const char *, archive_entry_hardlink)
OF_ENTRY(const char *, archive_entry_hardlink_utf8)
OF_ENTRY(mode_t, archive_entry_mode)
OF_ENTRY(time_t, archive_entry_mtime)
OF_ENTRY(int, archive_entry_mtime_is_set)
OF_ENTRY(long, archive_entry_mtime_nsec)
OF_ENTRY(const char *, archive_entry_pathname)
OF_ENTRY(const char *, archive_entry_pathname_utf8)
OF_ENTRY(la_int64_t, archive_entry_size)
OF_ENTRY(int, archive_entry_size_is_set)
OF_ENTRY(const char *, archive_entry_symlink)
OF_ENTRY(const char *, archive_entry_symlink_utf8)

FUNCTION(struct archive *, archive_read_new, (void), ())
OF_ARCHIVE(int, archive_read_free)
OF_ARCHIVE(int, archive_errno)
OF_ARCHIVE(const char *, archive_error_string)
OF_ARCHIVE(int, archive_filter_count)
OF_ARCHIVE(int, archive_format)
OF_ARCHIVE(int, archive_read_support_filter_bzip2)
OF_ARCHIVE(int, archive_read_support_filter_gzip)
OF_ARCHIVE(int, archive_read_support_filter_xz)
OF_ARCHIVE(int, archive_read_support_filter_zstd)
OF_ARCHIVE(int, archive_read_support_format_7zip)
OF_ARCHIVE(int, archive_read_support_format_empty)
OF_ARCHIVE(int, archive_read_support_format_raw)
OF_ARCHIVE(int, archive_read_support_format_tar)
OF_ARCHIVE(int, archive_read_support_format_zip_seekable)

FUNCTION(int, archive_read_set_callback_data, (struct archive * archive, void *arg), (archive, arg))
FUNCTION(int, archive_read_set_read_callback,
	(struct archive * archive, archive_read_callback *callback), (archive, callback))
FUNCTION(int, archive_read_set_skip_callback,
	(struct archive * archive, archive_skip_callback *callback), (archive, callback))
FUNCTION(int, archive_read_set_seek_callback,
	(struct archive * archive, archive_seek_callback *callback), (archive, callback))
OF_ARCHIVE(int, archive_read_open1)
FUNCTION(int, archive_read_next_header, (struct archive * archive, struct archive_entry **ret),
	(archive, ret))
FUNCTION(int, archive_read_data_block,
	(struct archive * archive, const void **ret, size_t *ret_len, la_int64_t *ret_offset),
	(archive, ret, ret_len, ret_offset))

FUNCTION(struct archive *, archive_write_new, (void), ())
OF_ARCHIVE(int, archive_write_free)
OF_ARCHIVE(int, archive_write_close)
OF_ARCHIVE(int, archive_write_set_format_pax_restricted)
FUNCTION(int, archive_write_set_bytes_per_block, (struct archive * archive, int bytes),
	(archive, bytes))
FUNCTION(int, archive_write_set_bytes_in_last_block, (struct archive * archive, int bytes),
	(archive, bytes))
FUNCTION(int, archive_write_open2,
	(struct archive * archive, void *arg, archive_open_callback *open,
		archive_write_callback *write, archive_close_callback *close,
		archive_free_callback *release),
	(archive, arg, open, write, close, release))
FUNCTION(int, archive_write_header, (struct archive * archive, struct archive_entry *entry),
	(archive, entry))
FUNCTION(la_ssize_t, archive_write_data, (struct archive * archive, const void *buf, size_t len),
	(archive, buf, len))

void archive_set_error(struct archive *archive, int code, const char *format, ...)
{
	static _Atomic(void *) place;
	typeof(&archive_set_error) function =
		library_function(&library, &place, "archive_set_error");
	char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	function(archive, code, "%s", text);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* A header that the library asks to read once more is tried so often. */
#define RETRIES 8

int libarchive_next(struct archive *archive, struct archive_entry **ret)
{
	for (int i = 0; i < RETRIES; i++) {
		switch (archive_read_next_header(archive, ret)) {
		case ARCHIVE_EOF:
			return 0;
		case ARCHIVE_OK:
		case ARCHIVE_WARN:
			return 1;
		case ARCHIVE_RETRY:
			break;
		default:
			return -1;
		}
	}
	return -1;
}
