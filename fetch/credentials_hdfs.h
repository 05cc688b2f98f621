/*
 * Whose requests to a Hadoop cluster are, and where they go: by the section [hdfs "…"] that covers
 * the URI; for the owner of the cache, without one, as any program of his that speaks to Hadoop, by
 * HADOOP_USER_NAME or who he is here. Where namenodes are says the section, else HADOOP_CONF_DIR.
 */
#ifndef FETCHFS_FETCH_CREDENTIALS_HDFS_H
#define FETCHFS_FETCH_CREDENTIALS_HDFS_H

#include "fetch/credentials.h"

/* As credentials_load(). A user in the URI is the owner's to write. */
int credentials_hdfs_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err);
void credentials_hdfs_release(struct credentials *credentials);

#endif
