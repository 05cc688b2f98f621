#include "cache/journal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cache/journal_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct journal {
	const struct cachedir *dir;
	int fd;     /* -1: not opened yet */
	FILE *line; /* into text and len: one line while it is made */
	char *text;
	size_t len;
	char *batch; /* what is collected */
	size_t used;
	size_t room;
	bool lost;    /* there was no memory for all of it */
	off_t before; /* how long the file was before the last writing */
};

int journal_new(const struct cachedir *dir, struct journal **ret, struct err *err)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return err_oom(err);
	journal->dir = dir;
	journal->fd = -1;
	journal->line = open_memstream(&journal->text, &journal->len);
	if (!journal->line) {
		free(journal);
		return err_oom(err);
	}
	*ret = journal;
	return 0;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	fclose(journal->line);
	free(journal->text);
	free(journal->batch);
	fd_close(&journal->fd);
	free(journal);
}

/* ---- lines ---- */

void journal_checksum(const char *text, size_t len, char ret[JOURNAL_CHECKSUM_SIZE])
{
	snprintf(ret, JOURNAL_CHECKSUM_SIZE, "%016" PRIx64 " ", (uint64_t)XXH3_64bits(text, len));
}

static bool make_room(struct journal *journal, size_t more)
{
	size_t room = journal->room ? journal->room : 4096;
	char *larger;

	while (room - journal->used < more)
		room *= 2;
	if (room == journal->room)
		return true;
	larger = realloc(journal->batch, room);
	if (!larger)
		return false;
	journal->batch = larger;
	journal->room = room;
	return true;
}

static struct json begin(struct journal *journal)
{
	struct json json = {.out = journal->line};

	fseeko(journal->line, 0, SEEK_SET);
	json_open(&json, NULL, '{');
	return json;
}

/* The line is complete, with its newline. */
static void end(struct journal *journal, struct json *json)
{
	char checksum[JOURNAL_CHECKSUM_SIZE];
	size_t len;

	json_close(json, '}');
	if (fflush(journal->line) != 0 ||
		!make_room(journal, sizeof(checksum) + (size_t)ftello(journal->line))) {
		journal->lost = true;
		return;
	}
	len = (size_t)ftello(journal->line);
	journal_checksum(journal->text, len - 1, checksum);
	memcpy(journal->batch + journal->used, checksum, sizeof(checksum) - 1);
	memcpy(journal->batch + journal->used + sizeof(checksum) - 1, journal->text, len);
	journal->used += sizeof(checksum) - 1 + len;
}

static void add_key(struct json *json, const struct entry_key *key)
{
	char hex[ENTRY_KEY_HEX_SIZE];

	entry_key_hex(key, hex);
	json_text(json, "key", hex);
}

static void add_digest(struct json *json, const char *name, const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(digest, hex);
	json_text(json, name, hex);
}

void journal_entry(struct journal *journal, const struct entry *entry, uint64_t hash)
{
	struct json json = begin(journal);
	char hex[17];

	snprintf(hex, sizeof(hex), "%016" PRIx64, hash);
	add_key(&json, &entry->key);
	json_text(&json, "scope", entry->scope);
	json_text(&json, "uri", entry->uri);
	if (entry->state == ENTRY_COMPLETE) {
		add_digest(&json, "sha256", &entry->digest);
		json_text(&json, "xxh3", hex);
	}
	json_number(&json, "size", entry->size);
	json_bool(&json, "has_query", entry->has_query);
	json_bool(&json, "executable", entry->executable);
	json_bool(&json, "pinned", entry->pinned);
	json_text(&json, "etag", entry->etag);
	json_text(&json, "type", entry->type);
	json_number(&json, "modified", entry->modified);
	json_number(&json, "fetched", entry->fetched);
	json_number(&json, "verified", entry->verified);
	json_number(&json, "expires", entry->expires);
	json_bool(&json, "must_ask", entry->must_ask);
	if (entry->uid > 0)
		json_number(&json, "uid", entry->uid);
	end(journal, &json);
}

void journal_pin(struct journal *journal, const struct entry_key *key, bool pinned)
{
	struct json json = begin(journal);

	add_key(&json, key);
	json_bool(&json, "pinned", pinned);
	end(journal, &json);
}

void journal_incomplete(struct journal *journal, const struct entry_key *key)
{
	struct json json = begin(journal);

	add_key(&json, key);
	json_bool(&json, "incomplete", true);
	end(journal, &json);
}

void journal_gone(struct journal *journal, const struct entry_key *key)
{
	struct json json = begin(journal);

	add_key(&json, key);
	json_bool(&json, "gone", true);
	end(journal, &json);
}

void journal_lease(struct journal *journal, const struct lease *lease, const char *boot)
{
	struct json json = begin(journal);

	json_number(&json, "lease", lease->id);
	json_text(&json, "directory", lease->directory);
	json_number(&json, "device", (int64_t)lease->device);
	json_number(&json, "inode", (int64_t)lease->inode);
	json_number(&json, "born", lease->born);
	json_text(&json, "name", lease->name);
	json_text(&json, "method", lease->method);
	json_number(&json, "file_inode", (int64_t)lease->file_inode);
	json_number(&json, "file_born", lease->file_born);
	json_number(&json, "mount", (int64_t)lease->mount);
	json_number(&json, "mount_space", (int64_t)lease->mount_space);
	json_number(&json, "uid", lease->uid);
	json_text(&json, "uri", lease->uri);
	add_digest(&json, "sha256", &lease->digest);
	if (lease->has_key)
		add_key(&json, &lease->key);
	if (lease->has_expected)
		add_digest(&json, "expected", &lease->expected);
	json_text(&json, "token", lease->token);
	json_number(&json, "since", lease->since);
	json_text(&json, "boot", boot);
	end(journal, &json);
}

void journal_lease_gone(struct journal *journal, int64_t id)
{
	struct json json = begin(journal);

	json_number(&json, "lease", id);
	json_bool(&json, "gone", true);
	end(journal, &json);
}

/* ---- the first line of a short one ---- */

#define WHOLE_FORMAT "{\"whole\": %20" PRIu64 "}"
#define WHOLE_SIZE   64

/* Of always the same length, with its newline. */
static size_t format_whole(uint64_t bytes, char ret[WHOLE_SIZE])
{
	char json[WHOLE_SIZE];
	int len = snprintf(json, sizeof(json), WHOLE_FORMAT, bytes);

	journal_checksum(json, (size_t)len, ret);
	return (size_t)(JOURNAL_CHECKSUM_SIZE - 1 +
			snprintf(ret + JOURNAL_CHECKSUM_SIZE - 1,
				WHOLE_SIZE - JOURNAL_CHECKSUM_SIZE, "%s\n", json));
}

int journal_begin_whole(int fd, struct err *err)
{
	char line[WHOLE_SIZE];
	int r = fd_write_all(fd, line, format_whole(0, line));

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write a journal: %m") : 0;
}

int journal_end_whole(int fd, struct err *err)
{
	off_t size = lseek(fd, 0, SEEK_CUR);
	char line[WHOLE_SIZE];
	int r = size < 0 ? -errno : fd_pwrite_all(fd, line, format_whole((uint64_t)size, line), 0);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write a journal: %m") : 0;
}

bool journal_whole(const struct cachedir *dir, uint64_t *ret)
{
	CLEANUP(fd_closep) int fd = openat(dir->fd, JOURNAL, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const size_t prefix = JOURNAL_CHECKSUM_SIZE - 1 + strlen("{\"whole\": ");
	char line[WHOLE_SIZE] = "", should[WHOLE_SIZE];
	size_t len = format_whole(0, should);

	if (fd < 0 || fd_pread_full(fd, line, len, 0) != (ssize_t)len)
		return false;
	/* whatever stands there: it is right only if the whole line is */
	*ret = strtoull(line + prefix, NULL, 10);
	format_whole(*ret, should);
	return *ret > 0 && memcmp(line, should, len) == 0;
}

/* ---- writing ---- */

void journal_drop(struct journal *journal)
{
	journal->used = 0;
	journal->lost = false;
}

/* The file that has the name now: another process may have made a shorter one. */
static int open_file(struct journal *journal, off_t *ret_size)
{
	struct stat st;

	if (journal->fd >= 0 && fstat(journal->fd, &st) == 0 && st.st_nlink == 0)
		fd_close(&journal->fd);
	if (journal->fd < 0)
		journal->fd = openat(journal->dir->fd, JOURNAL,
			O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (journal->fd < 0 || fstat(journal->fd, &st) < 0)
		return -errno;
	*ret_size = st.st_size;
	return 0;
}

size_t journal_collected(const struct journal *journal)
{
	return journal->used;
}

int journal_write_to(struct journal *journal, int fd, struct err *err)
{
	int r;

	if (journal->lost)
		return err_oom(err);
	r = fd_write_all(fd, journal->batch, journal->used);
	journal_drop(journal);
	return r < 0 ? err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r,
			       "write a journal: %m")
		     : 0;
}

/* Who was killed, or lost power, while he wrote left half a line, which must not swallow the next.
 */
static int end_line(int fd, off_t size)
{
	char last;

	if (size == 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n'))
		return 0;
	return fd_write_all(fd, "\n", 1);
}

void journal_take_back(struct journal *journal)
{
	if (journal->fd >= 0 && journal->before >= 0)
		(void)!ftruncate(journal->fd, journal->before);
	journal->before = -1;
}

int journal_write(struct journal *journal, struct err *err)
{
	int r;

	journal->before = -1;

	if (journal->lost)
		return err_oom(err);
	if (journal->used == 0)
		return 0;
	r = open_file(journal, &journal->before);
	if (r == 0)
		r = fault_hit("journal.write") ? -errno : end_line(journal->fd, journal->before);
	if (r == 0)
		r = fd_write_all(journal->fd, journal->batch, journal->used);
	if (r < 0)
		journal_take_back(journal);
	journal_drop(journal);
	if (r < 0)
		return err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r,
			"write to the cache's journal: %m");
	return 0;
}

bool journal_is_there(const struct cachedir *dir)
{
	struct stat st;

	return fstatat(dir->fd, JOURNAL, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}
