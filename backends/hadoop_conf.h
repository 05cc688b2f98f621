/*
 * What core-site.xml and hdfs-site.xml of a Hadoop configuration folder say: names and values.
 *
 * Of two values of one name the last one counts, be it marked final or not. What holds "${…}" is
 * left out: it is for Hadoop to put together.
 */
#ifndef FETCHFS_BACKENDS_HADOOP_CONF_H
#define FETCHFS_BACKENDS_HADOOP_CONF_H

#include "base/err.h"

struct hadoop_conf;

/* Read the files of @dir; one that is missing is empty. *ret is for hadoop_conf_free(). */
int hadoop_conf_load(const char *dir, struct hadoop_conf **ret, struct err *err);
void hadoop_conf_free(struct hadoop_conf *conf);
void hadoop_conf_freep(struct hadoop_conf **conf); /* for CLEANUP() */

/* The value of @name, without blanks around it; NULL: it has none. */
const char *hadoop_conf_get(const struct hadoop_conf *conf, const char *name);

/* Of the key that @fmt makes; what is too long to be one is not there. */
const char *hadoop_conf_getf(const struct hadoop_conf *conf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
