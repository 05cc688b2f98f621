/*
 * Where a Hadoop cluster is asked over HTTP: the namenodes that the host of a URI stands for.
 *
 * By the configuration; else by the files of Hadoop itself, which know names that are of no host
 * but of several namenodes together; else the host at Hadoop's usual port.
 */
#ifndef FETCHFS_BACKENDS_WEBHDFS_PLACE_H
#define FETCHFS_BACKENDS_WEBHDFS_PLACE_H

#include "backends/backend.h"

#define WEBHDFS_NODES_MAX 16

struct webhdfs_place {
	char *nodes[WEBHDFS_NODES_MAX]; /* http(s) URIs that end in '/' */
	size_t count;                   /* at least one */
};

/* For webhdfs_place_release(), whatever is returned. */
int webhdfs_place_init(struct webhdfs_place *place, const struct uri *uri,
	const struct access_hdfs *access, struct err *err);
void webhdfs_place_release(struct webhdfs_place *place);

#endif
