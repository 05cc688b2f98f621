/*
 * Many readers at once, of files that may never come.
 *
 *	manyreaders COUNT FILE…
 *
 * COUNT threads, shared out evenly among the files, each read one page of their own: none waits for
 * the page of another, as those would that read the same one, and nothing is read ahead. Ends when
 * all of them have their answer, whatever it is, or by a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_MAX 10000
#define PAGE      4096
#define STACK     ((size_t)65536)

struct reader {
	const char *path;
	off_t offset;
	pthread_t thread;
};

static void die(const char *what, int code)
{
	fprintf(stderr, "manyreaders: %s: %s\n", what, strerror(code));
	_exit(1);
}

static void *read_page(void *arg)
{
	const struct reader *reader = arg;
	char page[PAGE];
	int fd = open(reader->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(reader->path, errno);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	if (pread(fd, page, sizeof(page), reader->offset) < 0)
		die("read", errno);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	size_t files = argc > 2 ? (size_t)argc - 2 : 0;
	struct reader *readers = NULL;
	pthread_attr_t attr;
	int r;

	if (count == 0 || count > COUNT_MAX) {
		fprintf(stderr, "usage: manyreaders COUNT FILE...\n");
		return 2;
	}
	readers = calloc(count, sizeof(*readers));
	if (!readers)
		die("memory", ENOMEM);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (size_t i = 0; i < count; i++) {
		readers[i].path = argv[2 + i % files];
		/* not the beginning, which is there */
		readers[i].offset = (off_t)(i / files + 1) * PAGE;
		r = pthread_create(&readers[i].thread, &attr, read_page, &readers[i]);
		if (r)
			die("thread", r);
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(readers[i].thread, NULL);
	pthread_attr_destroy(&attr);
	free(readers);
	return 0;
}
