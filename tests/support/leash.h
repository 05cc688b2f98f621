/*
 * A server that ends with the test, however that ends: a shell starts it, and kills it when its own
 * input ends. (A signal of the parent's death does not reach a server that changes its user.)
 */
#ifndef FETCHFS_TESTS_LEASH_H
#define FETCHFS_TESTS_LEASH_H

#include <stdbool.h>
#include <sys/types.h>

struct leash {
	pid_t pid; /* of the shell; 0: nothing was started */
	int end;   /* the other one of its input */
};

/* Run @command, in which "$0" is @arg and /usr/sbin is in the path, with output to @arg.out. Aborts
 * the test when that fails. */
void leash_start(struct leash *leash, const char *command, const char *arg);
void leash_stop(struct leash *leash);

/* Wait until the file @path has @words: true; or @failure, or for too long: false. */
bool leash_wait(const char *path, const char *words, const char *failure);

/* A port of 127.0.0.1 that nobody has now; somebody may be faster. */
unsigned int leash_port(void);

#endif
