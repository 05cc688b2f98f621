/* The ways of libcways through a folder. */
#include "tests/support/libcways.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMES_MAX 4096
#define ROOM_MAX  65536

/* As the kernel gives it. */
struct raw_entry {
	ino64_t ino;
	off64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static void check(const struct raw_entry *entry)
{
	if (entry->type != DT_REG && entry->type != DT_DIR)
		ways_wrong("%s: type %d", entry->name, entry->type);
	if (entry->ino == 0 || entry->len < offsetof(struct raw_entry, name) + 2)
		ways_wrong("%s: inode %llu, length %d", entry->name, (unsigned long long)entry->ino,
			entry->len);
}

void folder_print(const char *path, size_t size)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buf[ROOM_MAX] __attribute__((aligned(__alignof__(struct raw_entry))));
	size_t rounds = 0;
	long n;

	if (fd < 0 || size > sizeof(buf))
		ways_die("open");
	while ((n = syscall(SYS_getdents64, fd, buf, size)) > 0) {
		if (++rounds > NAMES_MAX)
			ways_wrong("no end");
		for (long i = 0; i < n;) {
			const struct raw_entry *entry = (const void *)(buf + i);

			check(entry);
			puts(entry->name);
			i += entry->len;
		}
	}
	if (n < 0)
		ways_die("getdents64");
	close(fd);
}

struct place {
	long before; /* telldir(), ahead of it */
	ino_t ino;
	char *name;
};

static size_t list(DIR *dir, struct place *places)
{
	size_t count = 0;

	for (;;) {
		long before = telldir(dir);
		const struct dirent *entry = readdir(dir);

		if (!entry)
			return count;
		if (count == NAMES_MAX)
			ways_wrong("no end");
		places[count++] = (struct place){before, entry->d_ino, strdup(entry->d_name)};
	}
}

static void expect_place(DIR *dir, const struct place *place)
{
	const struct dirent *entry = readdir(dir);

	if (!entry)
		ways_wrong("the end instead of %s", place->name);
	if (strcmp(entry->d_name, place->name) != 0 || entry->d_ino != place->ino)
		ways_wrong("%s instead of %s", entry->d_name, place->name);
}

/* Every entry can be come back to, in whatever order; rewinddir() begins again. */
void folder_seek(const char *path)
{
	static struct place places[NAMES_MAX];
	DIR *dir = opendir(path);
	size_t count;

	if (!dir)
		ways_die("opendir");
	count = list(dir, places);
	if (count < 100)
		ways_wrong("only %zu entries", count);
	for (size_t i = 0; i < count; i++) {
		size_t at = i * 7919 % count;

		seekdir(dir, places[at].before);
		if (telldir(dir) != places[at].before)
			ways_wrong("telldir() after seekdir() to %s", places[at].name);
		expect_place(dir, &places[at]);
		if (at + 1 < count)
			expect_place(dir, &places[at + 1]);
	}
	rewinddir(dir);
	for (size_t i = 0; i < count; i++)
		expect_place(dir, &places[i]);
	if (readdir(dir))
		ways_wrong("more after rewinddir()");
	for (size_t i = 0; i < count; i++)
		free(places[i].name);
	closedir(dir);
}
