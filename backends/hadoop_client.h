/*
 * Hadoop's own client, a program: where it is, and with what environment it is started.
 */
#ifndef FETCHFS_BACKENDS_HADOOP_CLIENT_H
#define FETCHFS_BACKENDS_HADOOP_CLIENT_H

#include "base/err.h"

#include <stdbool.h>

struct hadoop_client;

/* @program: its path, or NULL: HADOOP_HOME/bin/hadoop, else the first one in PATH, both as
 * @environment has them when it is needed. @most: may run at the same time, at least 1. Copies.
 * NULL: out of memory. */
struct hadoop_client *hadoop_client_new(
	const char *program, const char *const *environment, unsigned int most);
void hadoop_client_free(struct hadoop_client *client);

/* Its path, the caller's to free(). -EPROTONOSUPPORT, with what to do: there is none. */
int hadoop_client_find(const struct hadoop_client *client, char **ret, struct err *err);

/* The first program @name in PATH, the caller's to free(); NULL in *ret: there is none. */
int hadoop_client_search(
	const struct hadoop_client *client, const char *name, char **ret, struct err *err);

/*
 * Wait for a turn, @ms milliseconds at most. true: it is ours until hadoop_client_leave(). Unless
 * there is but one, a turn is left for those that are @brief.
 */
bool hadoop_client_enter(struct hadoop_client *client, bool brief, unsigned int ms);
void hadoop_client_leave(struct hadoop_client *client);

char *const *hadoop_client_environment(const struct hadoop_client *client);

#endif
