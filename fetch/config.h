/*
 * The configuration: defaults, then one or two INI files, one key a line.
 *
 * An unknown section or key is an error that names file, line and key (or, lenient, a warning).
 */
#ifndef FETCHFS_FETCH_CONFIG_H
#define FETCHFS_FETCH_CONFIG_H

#include "base/err.h"
#include "base/uri.h"
#include "fetch/unpack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_ID_SIZE     33
#define CONFIG_MIRRORS_MAX 16
#define CONFIG_PROXIES_MAX 32

/* A list of strings, one per line or comma of the file. */
struct config_list {
	char **items;
	size_t count;
};

/* [origin "PREFIX"], [s3 "PREFIX"] and others: what holds for the URIs below a prefix. The longest
 * prefix wins, alone. */
struct origin {
	char *prefix;               /* canonical */
	struct config_list mirrors; /* canonical prefixes that stand for this one, in their order */
	bool fastest;               /* mirror_order = fastest: by measured speed, else as listed */
	char *proxy;                /* see struct config; NULL: that of [fetch] */

	/* credentials: they serve whom users names, and make a scope of their own */
	char *user_file;   /* one line, "user:password"; read for each download */
	char *bearer;      /* the token itself */
	char *bearer_file; /* or a file with it; read for each download */
	char *netrc;
	char *client_cert;
	struct config_list headers; /* "Name: value", one a line: values may have commas */
	struct config_list users;   /* names, "@group", "*"; none: the owner of the cache only */

	/* [s3 "…"] only */
	bool is_s3;
	char *endpoint; /* canonical, ends in '/'; NULL: Amazon's */
	char *region;   /* or NULL */
	unsigned int style;
	char *keys_file; /* credentials = FILE, as `aws` writes it; NULL: what `aws` would use */
	char *profile;   /* of that file; NULL: the default */
	bool anonymous;  /* nothing is signed; [hadoop]: everybody may */

	/* [hdfs "…"] only */
	bool is_hdfs;
	struct config_list endpoints; /* of namenodes, canonical, end in '/'; none: by their name */
	char *conf_dir;               /* of Hadoop's files; NULL: what HADOOP_CONF_DIR says */
	char *hdfs_user;              /* or NULL */
	char *token_file;             /* one line, a delegation token; read for each download */
	char *datanodes; /* as no_proxy has it: whom the namenodes may lead to; or NULL */

	/* [oci "…"] only; endpoint and keys_file, which is Docker's, as above */
	bool is_oci;
	char *platform; /* "linux/arm64"; NULL: this machine's */

	bool is_hadoop; /* [hadoop "…"]: by Hadoop's client */

	bool list;         /* folders show what is at the origin, too */
	bool public_query; /* a query is no secret here */
	bool ftp_active;   /* see backends/transfer.h */
	bool ftp_tls;
	int64_t ttl_ms; /* -1: that of [fetch] */

	/* The start of the SHA-256 of prefix and users: whose artifacts the credentials make. */
	char id[CONFIG_ID_SIZE];
};

struct config {
	/* [cache] */
	char *dir;         /* or NULL: the default of this user */
	uint64_t size;     /* bytes; 0: by the file system */
	uint64_t min_free; /* bytes, when min_free_percent is 0 */
	unsigned int min_free_percent;
	uint64_t per_user; /* bytes, when per_user_percent is 0 */
	unsigned int per_user_percent;
	bool hardlink;
	bool force; /* also on a file system that cannot be trusted with a cache */

	/* [fetch] */
	unsigned int connections;
	unsigned int per_host;
	unsigned int turns; /* per_user = N: downloads under way; 0: no limit */
	int64_t connect_ms;
	int64_t first_byte_ms;
	int64_t stall_ms; /* fewer than stall_rate bytes a second for so long */
	uint64_t stall_rate;
	int64_t total_ms;     /* 0: no limit */
	unsigned int retries; /* after the first try */
	int64_t ttl_ms;
	int64_t negative_ttl_ms;
	int64_t stale_if_error_ms; /* how long what was confirmed may stand in; 0: never */
	char *ca_file;             /* or NULL */
	bool lazy_ranges;          /* lazy = ranges: only what is read is fetched */
	unsigned int lookup_head;  /* enum fetchfs_lookup_head */
	/*
	 * Groups between ';', members of a group between '|', each "http://host:port" or "direct":
	 * one member after the other, by chance, until a group is used up; then the next group.
	 * "environment": what http_proxy and its like say. NULL: the same for a command, direct
	 * for a daemon.
	 */
	char *proxy;
	char *hadoop;                      /* Hadoop's client; NULL: where it is found */
	struct config_list hadoop_schemes; /* of URIs that it is asked for */
	unsigned int hadoop_clients;       /* of it at the same time */

	/* [unpack] */
	struct unpack_limits unpack;
	int64_t unpack_total_ms; /* 0: no limit */

	/* [policy] */
	struct config_list allow; /* URI prefixes in canonical form (uri.h) */
	struct config_list deny;
	bool private_allowed;          /* private = allow */
	struct config_list file_roots; /* file: absolute paths, no "..", no '/' at the end */

	struct origin *origins;
	size_t origin_count;
	struct config_list aws;    /* "NAME=value" of the environment, for S3 */
	struct config_list hdfs;   /* likewise, for Hadoop */
	struct config_list docker; /* likewise, for Docker's configuration */
	struct members *members;   /* what was found out about users; NULL: nothing is kept */

	struct config_list warnings;
	struct config_said *said; /* config_said.h's */
	size_t said_count;
};

/*
 * Read @file, or when it is NULL $FETCHFS_CONFIG, else /etc/fetchfs/fetchfs.conf and then
 * $XDG_CONFIG_HOME/fetchfs/fetchfs.conf, by default ~/.config (absent ones are skipped; a named
 * one must exist). Lists grow from file to file, of anything else the last word counts.
 * @environment is like environ, NULL: empty. *ret is the caller's, for config_release().
 */
int config_load(const char *file, const char *const *environment, bool lenient, struct config *ret,
	struct err *err);
void config_release(struct config *config);

/* The section whose prefix covers the canonical URI @text, or NULL. */
const struct origin *config_origin(const struct config *config, const char *text);

/* Whether requests of this section open doors that others do not. One of s3 or oci has credentials,
 * be it that they are found elsewhere, unless it says that it has none. */
bool config_has_credentials(const struct origin *origin);

/* "origin", "s3", "hdfs", "oci" or "hadoop". */
const char *config_section_of(const struct origin *origin);

/* Whether Hadoop's client is asked for URIs of @scheme. */
bool config_is_hadoop(const struct config *config, const char *scheme);

/* The kind of section that opens @uri to others than the owner, if it is not [origin]; or NULL. */
const char *config_section_for(const struct config *config, const struct uri *uri);

/* The value of @name in @environment, or NULL. */
const char *config_env(const char *const *environment, const char *name);

#endif
