/* A private originserver (see originserver.c) with a folder of its own, for one test. */
#ifndef FETCHFS_TESTS_ORIGIN_H
#define FETCHFS_TESTS_ORIGIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct origin {
	char *dir;  /* files below are served */
	char *log;  /* path of the log */
	char *base; /* "http://127.0.0.1:PORT"; https with --tls-cert */
	pid_t pid;
};

/* Start it with more options (NULL-terminated, or NULL); aborts the test when that fails. */
void origin_start(struct origin *origin, const char *const *options);
void origin_stop(struct origin *origin); /* for CLEANUP(), too */

/* A file of these bytes. */
void origin_add_bytes(struct origin *origin, const char *name, const void *bytes, size_t len);

/* A file of @size bytes that origin_byte() tells, or, sparse, of zeros. */
void origin_add(struct origin *origin, const char *name, size_t size);
void origin_add_sparse(struct origin *origin, const char *name, off_t size);
unsigned char origin_byte(size_t at);

/*
 * Lines of the log that contain @part; over how many connections all requests came; how many bytes
 * of bodies were sent for @path. All end the server first, so that the log is complete.
 */
size_t origin_requests(struct origin *origin, const char *part);
size_t origin_connections(struct origin *origin);
uint64_t origin_sent(struct origin *origin, const char *path);

#endif
