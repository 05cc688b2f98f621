#include "backends/webhdfs_place.h"

#include "backends/hadoop_conf.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of Hadoop 3; before it they were 50070 and 50470. */
#define HTTP_PORT  "9870"
#define HTTPS_PORT "9871"

#define RPC_PORT "8020"

/* What is looked for in Hadoop's files. */
struct search {
	struct webhdfs_place *place;
	const struct uri *uri;
	const struct hadoop_conf *conf;
	bool is_https;
	struct err *err;
};

/* @text becomes the place's; NULL: there was no memory. */
static int add(struct webhdfs_place *place, char *text, struct err *err)
{
	if (!text)
		return err_oom(err);
	if (place->count == WEBHDFS_NODES_MAX) {
		free(text);
		return err_set(err, ERR_USAGE, EINVAL, "more than %d namenodes", WEBHDFS_NODES_MAX);
	}
	place->nodes[place->count++] = text;
	return 0;
}

static bool is_scheme(const struct uri *uri, const char *scheme)
{
	return str_equal(uri->scheme, scheme);
}

/* ---- in Hadoop's files ---- */

/* The length of the host in "host:port". */
static size_t host_length(const char *address)
{
	const char *colon = strrchr(address, ':');

	return colon ? (size_t)(colon - address) : strlen(address);
}

/* An address of Hadoop's, "host:port"; one that means "any of this host" is the URI's. */
static int add_address(const struct search *search, const char *address)
{
	const char *scheme = search->is_https ? "https" : "http";

	if (str_has_prefix(address, "0.0.0.0:"))
		return add(search->place,
			str_printf("%s://%s%s/", scheme, search->uri->host,
				address + host_length(address)),
			search->err);
	return add(search->place, str_printf("%s://%s/", scheme, address), search->err);
}

static bool wants_https(const struct uri *uri, const struct hadoop_conf *conf)
{
	const char *policy = hadoop_conf_get(conf, "dfs.http.policy");

	if (!is_scheme(uri, "hdfs"))
		return is_scheme(uri, "swebhdfs");
	return policy && str_equal(policy, "HTTPS_ONLY");
}

/* Where a namenode speaks HTTP: @suffix tells which one, "" or ".service" or ".service.node". */
static const char *web_address(const struct search *search, const char *suffix)
{
	return hadoop_conf_getf(search->conf, "dfs.namenode.%s-address%s",
		search->is_https ? "https" : "http", suffix);
}

/* Of a namenode that has only said where it is for Hadoop's own protocol. */
static int add_beside(const struct search *search, const char *rpc)
{
	return add(search->place,
		str_printf("%s://%.*s:%s/", search->is_https ? "https" : "http",
			(int)host_length(rpc), rpc, search->is_https ? HTTPS_PORT : HTTP_PORT),
		search->err);
}

static int add_node(const struct search *search, const char *suffix)
{
	const char *web = web_address(search, suffix);
	const char *rpc = hadoop_conf_getf(search->conf, "dfs.namenode.rpc-address%s", suffix);

	if (web)
		return add_address(search, web);
	return rpc ? add_beside(search, rpc) : 0;
}

/* Whether the URI names the namenode at @rpc, "host:port". */
static bool is_at(const struct uri *uri, const char *rpc)
{
	size_t len = host_length(rpc);
	const char *port = rpc[len] ? rpc + len + 1 : RPC_PORT;

	return is_scheme(uri, "hdfs") && len == strlen(uri->host) &&
	       strncasecmp(rpc, uri->host, len) == 0 &&
	       str_equal(port, uri->port ? uri->port : RPC_PORT);
}

/* What is done with each namenode of a service. Positive: it is enough. */
typedef int node_visit(const struct search *search, const char *suffix);

static int each_node(const struct search *search, const char *service, node_visit *visit)
{
	const char *list = hadoop_conf_getf(search->conf, "dfs.ha.namenodes.%s", service);
	CLEANUP(str_freep) char *copy = str_copy(list ? list : "");
	char *rest = copy;
	const char *node;
	int r = 0;

	if (!copy)
		return err_oom(search->err);
	while (r == 0 && (node = strsep(&rest, ", \t\r\n"))) {
		CLEANUP(str_freep) char *suffix = str_printf(".%s.%s", service, node);

		if (!suffix)
			return err_oom(search->err);
		if (*node)
			r = visit(search, suffix);
	}
	if (r == 0 && !list) {
		CLEANUP(str_freep) char *suffix = str_printf(".%s", service);

		r = suffix ? visit(search, suffix) : err_oom(search->err);
	}
	return r;
}

/* A namenode that has an address of its own, though it is one of several. */
static int add_if_there(const struct search *search, const char *suffix)
{
	const char *rpc = hadoop_conf_getf(search->conf, "dfs.namenode.rpc-address%s", suffix);
	int r;

	if (!rpc || !is_at(search->uri, rpc))
		return 0;
	r = add_node(search, suffix);
	return r < 0 ? r : 1;
}

static int search_services(const struct search *search)
{
	const char *services = hadoop_conf_get(search->conf, "dfs.nameservices");
	CLEANUP(str_freep) char *copy = str_copy(services ? services : "");
	char *rest = copy;
	const char *service;
	int r = 0;

	if (!copy)
		return err_oom(search->err);
	while (r == 0 && (service = strsep(&rest, ", \t\r\n"))) {
		if (!*service)
			continue;
		if (strcasecmp(service, search->uri->host) != 0)
			r = each_node(search, service, add_if_there);
		else if (!search->uri->port)
			return each_node(search, service, add_node);
	}
	return r < 0 ? r : 0;
}

/* The one namenode of a cluster that has one. */
static int search_single(const struct search *search)
{
	const char *rpc = hadoop_conf_get(search->conf, "dfs.namenode.rpc-address");
	const char *fs = hadoop_conf_get(search->conf, "fs.defaultFS");
	const char *web = web_address(search, "");
	char authority[256];

	if (!web)
		return 0;
	if (rpc && is_at(search->uri, rpc))
		return add_address(search, web);
	if (!fs || !str_has_prefix(fs, "hdfs://"))
		return 0;
	fs += strlen("hdfs://");
	if (strcspn(fs, "/") >= sizeof(authority))
		return 0;
	memcpy(authority, fs, strcspn(fs, "/"));
	authority[strcspn(fs, "/")] = '\0';
	return is_at(search->uri, authority) ? add_address(search, web) : 0;
}

static int search_conf(
	struct webhdfs_place *place, const struct uri *uri, const char *dir, struct err *err)
{
	CLEANUP(hadoop_conf_freep) struct hadoop_conf *conf = NULL;
	struct search search = {.place = place, .uri = uri, .err = err};
	int r = hadoop_conf_load(dir, &conf, err);

	if (r < 0)
		return r;
	search.conf = conf;
	search.is_https = wants_https(uri, conf);
	r = search_services(&search);
	if (r == 0 && place->count == 0)
		r = search_single(&search);
	if (r == 0 && place->count == 0 && is_scheme(uri, "hdfs") && search.is_https)
		r = add(place, str_printf("https://%s:" HTTPS_PORT "/", uri->host), err);
	return r;
}

/* ---- the place ---- */

/* The port of hdfs is for another protocol, those of the others are for HTTP. */
static int add_usual(struct webhdfs_place *place, const struct uri *uri, struct err *err)
{
	bool is_https = is_scheme(uri, "swebhdfs");
	const char *usual = is_https ? HTTPS_PORT : HTTP_PORT;
	const char *port = is_scheme(uri, "hdfs") || !uri->port ? usual : uri->port;

	return add(place, str_printf("%s://%s:%s/", is_https ? "https" : "http", uri->host, port),
		err);
}

int webhdfs_place_init(struct webhdfs_place *place, const struct uri *uri,
	const struct access_hdfs *access, struct err *err)
{
	int r = 0;

	*place = (struct webhdfs_place){.count = 0};
	for (const char *const *node = access->endpoints; r == 0 && node && *node; node++)
		r = add(place, str_copy(*node), err);
	if (r == 0 && place->count == 0 && access->conf_dir)
		r = search_conf(place, uri, access->conf_dir, err);
	if (r == 0 && place->count == 0)
		r = add_usual(place, uri, err);
	return r;
}

void webhdfs_place_release(struct webhdfs_place *place)
{
	for (size_t i = 0; i < place->count; i++)
		free(place->nodes[i]);
	place->count = 0;
}
