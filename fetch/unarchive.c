#include "fetch/unarchive.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/libarchive.h"
#include "fetch/zipnames.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE (256 * 1024)

#define SINGLE_NAME "data"

enum formats {
	FORMATS_ALL,
	FORMAT_RAW, /* what is compressed, whatever it is */
	FORMAT_ZIP,
	FORMAT_7ZIP,
};

struct reader {
	int fd;
	int64_t size;
	int64_t at;
	char buf[READ_SIZE];
	struct archive *archive;
	struct treemaker *maker;
	locale_t charset;
	struct zipnames names;
};

/* ---- bytes ---- */

/* By position: others read the same open file. */
static la_ssize_t read_bytes(struct archive *archive, void *arg, const void **ret)
{
	struct reader *reader = arg;
	ssize_t n = fd_pread_full(reader->fd, reader->buf, READ_SIZE, (uint64_t)reader->at);

	if (n < 0) {
		archive_set_error(archive, (int)-n, "read: %s", strerror((int)-n));
		return ARCHIVE_FATAL;
	}
	zipnames_hide(&reader->names, reader->buf, (size_t)n, (uint64_t)reader->at);
	reader->at += n;
	*ret = reader->buf;
	return n;
}

static la_int64_t skip_bytes(struct archive *archive, void *arg, la_int64_t count)
{
	struct reader *reader = arg;
	int64_t left = reader->size - reader->at;

	(void)archive;
	if (count < 0 || left < 0)
		return 0;
	count = count < left ? count : left;
	reader->at += count;
	return count;
}

static la_int64_t seek_bytes(struct archive *archive, void *arg, la_int64_t offset, int whence)
{
	struct reader *reader = arg;
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? reader->at : reader->size;
	int64_t to;

	if (__builtin_add_overflow(base, offset, &to) || to < 0) {
		archive_set_error(archive, EINVAL, "a position before the beginning");
		return ARCHIVE_FATAL;
	}
	reader->at = to;
	return to;
}

/* ---- opening ---- */

/* What could only be done by starting another program is done by none. */
static int allow_filters(struct archive *archive)
{
	if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
		archive_read_support_filter_bzip2(archive) != ARCHIVE_OK ||
		archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
		archive_read_support_filter_zstd(archive) != ARCHIVE_OK)
		return ARCHIVE_FATAL;
	return ARCHIVE_OK;
}

static int allow_formats(struct archive *archive, enum formats formats)
{
	int r = ARCHIVE_OK;

	if (formats == FORMATS_ALL)
		r = archive_read_support_format_tar(archive);
	if (r == ARCHIVE_OK && (formats == FORMATS_ALL || formats == FORMAT_ZIP))
		r = archive_read_support_format_zip_seekable(archive);
	if (r == ARCHIVE_OK && (formats == FORMATS_ALL || formats == FORMAT_7ZIP))
		r = archive_read_support_format_7zip(archive);
	if (r == ARCHIVE_OK && (formats == FORMATS_ALL || formats == FORMAT_RAW))
		r = archive_read_support_format_raw(archive);
	if (r == ARCHIVE_OK && (formats == FORMATS_ALL || formats == FORMAT_RAW))
		r = archive_read_support_format_empty(archive);
	if (r == ARCHIVE_OK && (formats == FORMATS_ALL || formats == FORMAT_RAW))
		r = allow_filters(archive);
	return r;
}

static void reader_close(struct reader *reader)
{
	if (reader->archive)
		archive_read_free(reader->archive);
	reader->archive = NULL;
}

/* The library's last word. */
static int broken(const struct reader *reader, const char *name, struct err *err)
{
	const char *why = archive_error_string(reader->archive);
	int code = archive_errno(reader->archive);
	char shown[ENTRYNAME_SHOWN];

	if (code == ENOMEM)
		return err_set(err, ERR_USAGE, ENOMEM,
			"it takes more memory to be read than unpacking may have");
	if (!name)
		return err_set(
			err, ERR_INTEGRITY, EBADMSG, "broken archive: %s", why ? why : "no reason");
	entryname_show(name, shown);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "entry %s: broken archive: %s", shown,
		why ? why : "no reason");
}

static void reader_release(struct reader *reader)
{
	reader_close(reader);
	zipnames_release(&reader->names);
}

static int reader_open(struct reader *reader, enum formats formats, struct err *err)
{
	int r;

	reader_close(reader);
	reader->at = 0;
	reader->archive = archive_read_new();
	if (!reader->archive)
		return err_oom(err);
	if (allow_formats(reader->archive, formats) != ARCHIVE_OK)
		return err_set(err, ERR_SYSTEM, ENOSYS, "libarchive cannot do all that it should");
	archive_read_set_read_callback(reader->archive, read_bytes);
	archive_read_set_skip_callback(reader->archive, skip_bytes);
	archive_read_set_seek_callback(reader->archive, seek_bytes);
	archive_read_set_callback_data(reader->archive, reader);
	r = archive_read_open1(reader->archive);
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : broken(reader, NULL, err);
}

/* 1: an entry; 0: there are no more. */
static int next_entry(struct reader *reader, struct archive_entry **ret, struct err *err)
{
	int r = libarchive_next(reader->archive, ret);

	return r < 0 ? broken(reader, NULL, err) : r;
}

/* ---- names: as bytes if there are such, else as UTF-8 ---- */

static const char *name_of(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	return name ? name : archive_entry_pathname_utf8(entry);
}

static const char *symlink_of(struct archive_entry *entry)
{
	const char *name = archive_entry_symlink(entry);

	return name ? name : archive_entry_symlink_utf8(entry);
}

static const char *hardlink_of(struct archive_entry *entry)
{
	const char *name = archive_entry_hardlink(entry);

	return name ? name : archive_entry_hardlink_utf8(entry);
}

/* ---- entries ---- */

static struct timespec time_of(struct archive_entry *entry)
{
	struct timespec time = {.tv_nsec = UTIME_OMIT};

	if (archive_entry_mtime_is_set(entry)) {
		time.tv_sec = archive_entry_mtime(entry);
		time.tv_nsec = archive_entry_mtime_nsec(entry);
		if (time.tv_nsec < 0 || time.tv_nsec > 999999999)
			time.tv_nsec = 0;
	}
	return time;
}

static int copy_data(struct reader *reader, const char *name, struct err *err)
{
	const void *buf;
	size_t len;
	la_int64_t offset;
	int r = 0;

	while (r == 0) {
		int status = archive_read_data_block(reader->archive, &buf, &len, &offset);

		if (status == ARCHIVE_EOF)
			return treemaker_file_end(reader->maker, err);
		/* a warning here is a wrong checksum, or a wrong size */
		if (status != ARCHIVE_OK || offset < 0)
			return broken(reader, name, err);
		r = treemaker_write(reader->maker, buf, len, (uint64_t)offset, err);
	}
	return r;
}

static int make_file(struct reader *reader, const struct treemaker_entry *entry, struct err *err)
{
	int r = treemaker_file(reader->maker, entry, err);

	return r < 0 ? r : copy_data(reader, entry->name, err);
}

static int refuse_kind(const char *name, mode_t type, struct err *err)
{
	switch (type) {
	case AE_IFCHR:
	case AE_IFBLK:
		return treemaker_refuse(name, "it is a device", err);
	case AE_IFIFO:
		return treemaker_refuse(name, "it is a FIFO", err);
	case AE_IFSOCK:
		return treemaker_refuse(name, "it is a socket", err);
	default:
		return treemaker_refuse(name, "it is neither a file nor a folder nor a link", err);
	}
}

static int make_entry(struct reader *reader, struct archive_entry *from, struct err *err)
{
	mode_t type = archive_entry_filetype(from);
	const char *hardlink = hardlink_of(from);
	const char *target;
	const struct treemaker_entry entry = {
		.name = name_of(from),
		.executable = archive_entry_mode(from) & 0111,
		.size = archive_entry_size_is_set(from) ? archive_entry_size(from) : -1,
		.time = time_of(from),
	};

	if (!entry.name)
		return err_set(err, ERR_INTEGRITY, EBADMSG,
			"broken archive: an entry has a name that is none");
	if (hardlink)
		return treemaker_hardlink(reader->maker, &entry, hardlink, err);
	if (type == AE_IFDIR)
		return treemaker_folder(reader->maker, &entry, err);
	if (type == AE_IFREG)
		return make_file(reader, &entry, err);
	if (type != AE_IFLNK)
		return refuse_kind(entry.name, type, err);
	target = symlink_of(from);
	return treemaker_symlink(reader->maker, &entry, target ? target : "", err);
}

/* @entry, the first, and all that follow. */
static int make_all(struct reader *reader, struct archive_entry *entry, struct err *err)
{
	int r = 1;

	while (r > 0) {
		r = make_entry(reader, entry, err);
		if (r == 0)
			r = next_entry(reader, &entry, err);
	}
	return r;
}

/* ---- what it is ---- */

static bool has_archive_name(const char *name)
{
	static const char *const suffixes[] = {".tar", ".tgz", ".tar.gz", ".tbz", ".tbz2",
		".tar.bz2", ".txz", ".tar.xz", ".tzst", ".tar.zst", ".zip", ".7z"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (str_has_suffix(name, suffixes[i]))
			return true;
	return false;
}

/* What no reader wants may be an archive all the same: one whose end, with its list, is missing. */
static int refuse_raw(const struct reader *reader, struct err *err)
{
	static const char zip[] = {'P', 'K', 3, 4};
	static const char seven[] = {'7', 'z', '\xbc', '\xaf', '\x27', '\x1c'};
	char magic[sizeof(seven)] = {0};
	ssize_t n = fd_pread_full(reader->fd, magic, sizeof(magic), 0);

	if (n >= (ssize_t)sizeof(zip) && memcmp(magic, zip, sizeof(zip)) == 0)
		return err_set(
			err, ERR_INTEGRITY, EBADMSG, "broken archive: a zip without its end");
	if (n == (ssize_t)sizeof(seven) && memcmp(magic, seven, sizeof(seven)) == 0)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "broken archive: half a 7z");
	return err_set(err, ERR_USAGE, ENOTSUP, "it is no archive that is understood here");
}

static int make_single(struct reader *reader, struct archive_entry *from, struct err *err)
{
	const struct treemaker_entry entry = {
		.name = SINGLE_NAME,
		.size = -1,
		.time = from ? time_of(from) : (struct timespec){.tv_nsec = UTIME_OMIT},
	};
	int r = treemaker_file(reader->maker, &entry, err);

	if (r < 0)
		return r;
	return from ? copy_data(reader, entry.name, err) : treemaker_file_end(reader->maker, err);
}

/*
 * Names in 7z are text, which the library can only turn into the charset of the locale: so that
 * must be UTF-8 for them. In zip they may be text, too. In tar they are bytes, and stay what they
 * are where the charset is not UTF-8.
 */
static int reopen(struct reader *reader, enum formats formats, struct err *err)
{
	struct archive_entry *entry = NULL;
	locale_t before = reader->charset ? uselocale(reader->charset) : (locale_t)0;
	int r;

	if (formats == FORMAT_ZIP)
		zipnames_find(&reader->names, reader->fd, (uint64_t)reader->size,
			reader->maker->limits->entries);
	r = reader_open(reader, formats, err);
	if (r == 0)
		r = next_entry(reader, &entry, err);
	if (r >= 0 && formats == FORMAT_RAW)
		r = make_single(reader, r > 0 ? entry : NULL, err);
	else if (r > 0)
		r = make_all(reader, entry, err);
	if (before)
		uselocale(before);
	return r;
}

/* @entry: the first one, or NULL. */
static int make_what_it_is(struct reader *reader, struct archive_entry *entry, const char *hint,
	bool *ret_single, struct err *err)
{
	int format = archive_format(reader->archive) & ARCHIVE_FORMAT_BASE_MASK;
	int filters = archive_filter_count(reader->archive) - 1;

	if (filters > 1)
		return err_set(err, ERR_INTEGRITY, EBADMSG,
			"broken archive: it is compressed more than once");
	/* zeros are the end of a tar; but so begins, for one, the image of a disk */
	if (format == ARCHIVE_FORMAT_TAR && !entry && !has_archive_name(hint))
		format = ARCHIVE_FORMAT_EMPTY;
	*ret_single = filters == 1 && format != ARCHIVE_FORMAT_TAR;
	if (format == ARCHIVE_FORMAT_TAR)
		return entry ? make_all(reader, entry, err) : 0;
	if (format == ARCHIVE_FORMAT_EMPTY && filters == 1)
		return reopen(reader, FORMAT_RAW, err);
	if (format == ARCHIVE_FORMAT_ZIP || format == ARCHIVE_FORMAT_7ZIP) {
		if (filters == 1)
			return reopen(reader, FORMAT_RAW, err);
		return reopen(reader, format == ARCHIVE_FORMAT_ZIP ? FORMAT_ZIP : FORMAT_7ZIP, err);
	}
	return filters == 1 ? make_single(reader, entry, err) : refuse_raw(reader, err);
}

locale_t unarchive_charset(void)
{
	static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8"};
	locale_t charset = (locale_t)0;

	for (size_t i = 0; !charset && i < ARRAY_SIZE(names); i++)
		charset = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
	return charset;
}

int unarchive(int fd, const char *hint, locale_t charset, struct treemaker *maker, bool *ret_single,
	struct err *err)
{
	CLEANUP(reader_release)
	struct reader reader = {.fd = fd, .maker = maker, .charset = charset};
	struct archive_entry *entry = NULL;
	struct stat st;
	int r;

	*ret_single = false;
	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at the archive: %m");
	if (st.st_size == 0 && has_archive_name(hint))
		return 0;
	reader.size = st.st_size;
	r = reader_open(&reader, FORMATS_ALL, err);
	if (r == 0)
		r = next_entry(&reader, &entry, err);
	if (r >= 0)
		r = make_what_it_is(&reader, r > 0 ? entry : NULL, hint, ret_single, err);
	return r;
}
