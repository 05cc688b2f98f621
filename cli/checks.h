/*
 * What `fetchfs check` looks at: each part is one function, which tells what it has found.
 */
#ifndef FETCHFS_CLI_CHECKS_H
#define FETCHFS_CLI_CHECKS_H

#include "cli/cli.h"

enum finding {
	FINDING_GOOD,
	FINDING_NOTE, /* it works without, but slower or with less */
	FINDING_BAD,
};

struct checks {
	struct cli *cli;
	bool json;
	unsigned int bad;
};

/* @remedy: what to do about it, or NULL. */
void checks_tell(struct checks *checks, const char *what, enum finding finding, const char *remedy,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The kernel, FUSE, the clock, the authorities that are trusted, updatedb. */
void check_machine(struct checks *checks);

/* The configuration, and the cache that it names: its file system, its room. */
void check_cache(struct checks *checks);

/* A mount for a moment, of a cache beside the real one: how what is complete would be read. */
void check_mount(struct checks *checks);

#endif
