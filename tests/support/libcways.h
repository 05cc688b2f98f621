/*
 * What the files of libcways share: a way into a file of a mount, and the file that it must be the
 * same as.
 */
#ifndef FETCHFS_TESTS_LIBCWAYS_H
#define FETCHFS_TESTS_LIBCWAYS_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What is right. */
struct reference {
	const char *bytes;
	size_t size;
	time_t modified;
};

struct way {
	const char *name;
	void (*go)(const char *path, const struct reference *right);
};

/* They end with an entry without a name. */
extern const struct way ways_of_bytes[];
extern const struct way ways_of_names[];
extern const struct way ways_of_uring[];

/* Each says on stderr what is wrong, and in which way, and ends the process. */
_Noreturn void ways_die(const char *call); /* with the errno */
_Noreturn void ways_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

int ways_open(const char *path, int flags);
void ways_compare(const char *bytes, size_t size, const struct reference *right);

/* The bytes of a descriptor of the file, from its beginning, by pread(). */
void ways_compare_fd(int fd, const struct reference *right);

/* libcfolder.c: what "libcways names SIZE FOLDER" and "libcways seek FOLDER" do */
void folder_print(const char *path, size_t size);
void folder_seek(const char *path);

/* libcwrites.c: "libcways writes FILE NEW FOLDER" */
void writes_fail(const char *file, const char *fresh, const char *folder);

#endif
