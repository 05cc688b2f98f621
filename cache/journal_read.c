/* What the journal says. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/journal.h"
#include "cache/journal_private.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line has a URI of at most some KiB. */
#define LINE_MAX_BYTES (1 << 20)

static void json_releasep(json_t **json)
{
	json_decref(*json);
}

static void file_closep(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* ---- members ---- */

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static bool read_hex(const json_t *object, const char *name, void *ret, size_t size)
{
	const char *text = text_of(object, name);

	return text && str_from_hex(text, size, ret);
}

/* The line's own string, for a struct whose strings are somebody's to free(). */
static char *lend(const json_t *object, const char *name)
{
	return (char *)(uintptr_t)text_of(object, name);
}

/* ---- lines ---- */

static bool read_entry(const json_t *object, struct journal_line *ret)
{
	uint8_t hash[8];

	ret->kind = JOURNAL_ENTRY;
	ret->entry = (struct entry){
		.key = ret->entry.key,
		.state = ENTRY_COMPLETE,
		.scope = lend(object, "scope"),
		.uri = lend(object, "uri"),
		.size = number_of(object, "size"),
		.has_query = is_true(object, "has_query"),
		.executable = is_true(object, "executable"),
		.pinned = is_true(object, "pinned"),
		.etag = lend(object, "etag"),
		.type = lend(object, "type"),
		.modified = number_of(object, "modified"),
		.fetched = number_of(object, "fetched"),
		.verified = number_of(object, "verified"),
		.expires = number_of(object, "expires"),
		.must_ask = is_true(object, "must_ask"),
		.uid = (uid_t)number_of(object, "uid"),
	};
	if (!ret->entry.scope || !ret->entry.uri)
		return false;
	if (!text_of(object, "sha256")) {
		ret->entry.state = ENTRY_KNOWN;
		return true;
	}
	if (ret->entry.size < 0 ||
		!read_hex(object, "sha256", ret->entry.digest.bytes, DIGEST_SIZE) ||
		!read_hex(object, "xxh3", hash, sizeof(hash)))
		return false;
	ret->hash = 0;
	for (size_t i = 0; i < sizeof(hash); i++)
		ret->hash = ret->hash << 8 | hash[i];
	return true;
}

static bool read_lease(const json_t *object, struct journal_line *ret)
{
	const char *token = text_of(object, "token");
	const char *boot = text_of(object, "boot");

	ret->kind = JOURNAL_LEASE;
	ret->lease = (struct lease){
		.id = ret->lease.id,
		.directory = lend(object, "directory"),
		.device = (uint64_t)number_of(object, "device"),
		.inode = (uint64_t)number_of(object, "inode"),
		.born = number_of(object, "born"),
		.name = lend(object, "name"),
		.method = lend(object, "method"),
		.file_inode = (uint64_t)number_of(object, "file_inode"),
		.file_born = number_of(object, "file_born"),
		.mount = (uint64_t)number_of(object, "mount"),
		.mount_space = (uint64_t)number_of(object, "mount_space"),
		.uid = number_of(object, "uid"),
		.uri = lend(object, "uri"),
		.since = number_of(object, "since"),
	};
	ret->lease.has_key = read_hex(object, "key", ret->lease.key.bytes, ENTRY_KEY_SIZE);
	ret->lease.has_expected =
		read_hex(object, "expected", ret->lease.expected.bytes, DIGEST_SIZE);
	return ret->lease.directory && ret->lease.name && ret->lease.method && token && boot &&
	       str_fit(ret->lease.token, sizeof(ret->lease.token), token) &&
	       str_fit(ret->boot, sizeof(ret->boot), boot) &&
	       read_hex(object, "sha256", ret->lease.digest.bytes, DIGEST_SIZE);
}

static bool read_line(const json_t *object, struct journal_line *ret)
{
	*ret = (struct journal_line){.hash = 0};
	if (json_is_integer(json_object_get(object, "lease"))) {
		ret->lease.id = number_of(object, "lease");
		ret->kind = JOURNAL_LEASE_GONE;
		return is_true(object, "gone") || read_lease(object, ret);
	}
	if (!read_hex(object, "key", ret->entry.key.bytes, ENTRY_KEY_SIZE))
		return false;
	ret->entry.pinned = is_true(object, "pinned");
	ret->kind = is_true(object, "gone")         ? JOURNAL_GONE
		    : is_true(object, "incomplete") ? JOURNAL_INCOMPLETE
						    : JOURNAL_PIN;
	return !text_of(object, "uri") || read_entry(object, ret);
}

/* One that is not whole is passed over. */
static int visit_line(char *text, size_t len, journal_visit *visit, void *arg, struct err *err)
{
	CLEANUP(json_releasep) json_t *object = NULL;
	const size_t prefix = JOURNAL_CHECKSUM_SIZE - 1;
	char checksum[JOURNAL_CHECKSUM_SIZE];
	struct journal_line line;

	if (len <= prefix || text[len - 1] != '\n')
		return 0;
	journal_checksum(text + prefix, len - prefix - 1, checksum);
	if (memcmp(checksum, text, prefix) != 0)
		return 0;
	object = json_loadb(text + prefix, len - prefix, 0, NULL);
	if (!object || !read_line(object, &line))
		return 0;
	return visit(&line, arg, err);
}

int journal_read(const struct cachedir *dir, journal_visit *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	CLEANUP(file_closep) FILE *file = NULL;
	size_t room = 0;
	ssize_t len;
	int fd = openat(dir->fd, JOURNAL, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return 0;
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file) {
		int code = errno;

		fd_close(&fd);
		return err_set(err, ERR_SYSTEM, code, "read the cache's journal: %m");
	}
	while ((len = getline(&text, &room, file)) > 0) {
		int r = len > LINE_MAX_BYTES ? 0 : visit_line(text, (size_t)len, visit, arg, err);

		if (r < 0)
			return r;
	}
	return 0;
}
