/*
 * Hadoop's own client, a program: where it is, and with what environment it is started.
 */
#ifndef FETCHFS_BACKENDS_HADOOP_CLIENT_H
#define FETCHFS_BACKENDS_HADOOP_CLIENT_H

#include "base/err.h"

struct hadoop_client;

/* @program: its path, or NULL: HADOOP_HOME/bin/hadoop, else the first one in PATH, both as
 * @environment has them when it is needed. Copies. NULL: out of memory. */
struct hadoop_client *hadoop_client_new(const char *program, const char *const *environment);
void hadoop_client_free(struct hadoop_client *client);

/* Its path, the caller's to free(). -EPROTONOSUPPORT, with what to do: there is none. */
int hadoop_client_find(const struct hadoop_client *client, char **ret, struct err *err);

/* The first program @name in PATH, the caller's to free(); NULL in *ret: there is none. */
int hadoop_client_search(
	const struct hadoop_client *client, const char *name, char **ret, struct err *err);

char *const *hadoop_client_environment(const struct hadoop_client *client);

#endif
