/* What the files of the journal share: a line is "CHECKSUM JSON\n". */
#ifndef FETCHFS_CACHE_JOURNAL_PRIVATE_H
#define FETCHFS_CACHE_JOURNAL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The XXH3-64 of the JSON, without the newline, in hexadecimal; a blank, and the NUL. */
#define JOURNAL_CHECKSUM_SIZE 18
void journal_checksum(const char *text, size_t len, char ret[JOURNAL_CHECKSUM_SIZE]);

/* Write what was collected to @fd instead. */
struct journal;
struct err;
int journal_write_to(struct journal *journal, int fd, struct err *err);
size_t journal_collected(const struct journal *journal); /* bytes */

/*
 * The first line of one that was made short: how many bytes of it say all that there was then. To
 * begin with 0; at the end, which is where @fd is, the right number. journal_whole(): false if
 * there is no such line, or it was never ended.
 */
struct cachedir;
int journal_begin_whole(int fd, struct err *err);
int journal_end_whole(int fd, struct err *err);
bool journal_whole(const struct cachedir *dir, uint64_t *ret);

#endif
