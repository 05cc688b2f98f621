#include "fetch/policy.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/address.h"
#include "fetch/noproxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Open to everybody, apart from where they lead. */
static const char *const open_schemes[] = {"http", "https", "ftp", "ftps"};

/* A byte of a canonical URI with its escape undone, and where the next one begins. */
static unsigned char next_byte(const char **p)
{
	const char *s = *p;
	unsigned char value = (unsigned char)*s;

	*p = s + 1;
	if (s[0] == '%') { /* canonical: two digits follow */
		char pair[3] = {s[1], s[2], '\0'};

		if (str_from_hex(pair, 1, &value))
			*p = s + 3;
	}
	return value;
}

static const char *skip_slashes(const char *s)
{
	for (;;) {
		const char *next = s;

		if (!*s || next_byte(&next) != '/')
			return s;
		s = next;
	}
}

/*
 * Whether @text lies below @prefix for a server that undoes all escapes and merges slashes: a
 * denied place must not open by another spelling.
 */
static bool covers_loosely(const char *prefix, const char *text)
{
	bool is_oci = str_has_prefix(prefix, "oci://");
	bool slash = false;

	for (;;) {
		unsigned char a, b;

		if (!*prefix)
			return slash || !*text || *text == '?' ||
			       (is_oci && (*text == ':' || *text == '@')) ||
			       skip_slashes(text) != text;
		if (!*text)
			return false;
		a = next_byte(&prefix);
		b = next_byte(&text);
		if (a != b)
			return false;
		slash = a == '/';
		if (slash) {
			prefix = skip_slashes(prefix);
			text = skip_slashes(text);
		}
	}
}

static const char *longest(const struct config_list *prefixes, const char *text,
	bool (*covers)(const char *prefix, const char *text))
{
	const char *best = NULL;

	for (size_t i = 0; i < prefixes->count; i++) {
		const char *prefix = prefixes->items[i];

		if ((!best || strlen(prefix) > strlen(best)) && covers(prefix, text))
			best = prefix;
	}
	return best;
}

static bool is_http(const struct uri *uri)
{
	return str_equal(uri->scheme, "http") || str_equal(uri->scheme, "https");
}

/* Whether @uri is at a namenode of the section. */
static bool is_namenode(const struct origin *origin, const struct uri *uri)
{
	CLEANUP(uri_release) struct uri cluster = {.text = NULL};

	if (!origin->is_hdfs || !is_http(uri))
		return false;
	if (longest(&origin->endpoints, uri->text, uri_is_below))
		return true;
	return origin->endpoints.count == 0 && !origin->conf_dir &&
	       uri_parse(origin->prefix, &cluster, NULL) == 0 && str_equal(cluster.host, uri->host);
}

/* Whether @uri is at the registry of the section; for one that is elsewhere see its endpoint. */
static bool is_registry(const struct origin *origin, const struct uri *uri)
{
	CLEANUP(uri_release) struct uri registry = {.text = NULL};

	return origin->is_oci && !origin->endpoint && str_equal(uri->scheme, "https") &&
	       uri_parse(origin->prefix, &registry, NULL) == 0 &&
	       str_equal(registry.host, uri->host) && str_equal(registry.port, uri->port);
}

/* The longest prefix that opens @uri: allowed, with a section of its own, or a mirror's. */
static const char *opening(const struct decision *decision, const struct uri *uri)
{
	const struct origin *own = config_origin(decision->config, uri->text);
	const struct origin *asked = decision->origin; /* may lead to its mirrors */
	const char *found[] = {
		longest(&decision->config->allow, uri->text, uri_is_below),
		own ? own->prefix : NULL,
		asked ? longest(&asked->mirrors, uri->text, uri_is_below) : NULL,
		asked && asked->endpoint && uri_is_below(asked->endpoint, uri->text)
			? asked->endpoint
			: NULL,
		asked && (is_namenode(asked, uri) || is_registry(asked, uri)) ? asked->prefix
									      : NULL,
	};
	const char *best = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(found); i++)
		if (found[i] && (!best || strlen(found[i]) > strlen(best)))
			best = found[i];
	return best;
}

/* One text, whatever is behind the URI: a refusal must not tell what the network looks like. */
static int forbidden(const struct config *config, const struct uri *uri, struct err *err)
{
	const char *section = config_section_for(config, uri);
	const char *port = uri->port ? uri->port : "";

	if (section)
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: add a section [%s \"%s://%s%s%s/\"] with 'users = …'",
			section, uri->scheme, uri->host, *port ? ":" : "", port);
	return err_set(err, ERR_POLICY, EACCES,
		"forbidden by policy: add 'allow = %s://%s%s%s/' to [policy]", uri->scheme,
		uri->host, *port ? ":" : "", port);
}

/* Whether the section of the cluster that was asked for lets its namenodes lead there. */
static bool is_datanode(
	const struct decision *decision, const struct uri *uri, const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN] = "";
	const struct uri literal = {.scheme = uri->scheme, .host = host, .port = uri->port};
	const struct origin *asked = decision->origin;
	const void *bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;

	if (!asked || !asked->is_hdfs || !asked->datanodes)
		return false;
	if (address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	return noproxy_covers(asked->datanodes, uri) ||
	       (inet_ntop(address->sa_family, bytes, host, sizeof(host)) &&
		       noproxy_covers(asked->datanodes, &literal));
}

/* Whether @uri may lead to @address; nobody is asked what @uri resolves to. */
static int check_address(const struct decision *decision, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	struct sockaddr_storage literal;

	if (opening(decision, uri)) {
		/* a name in front of a metadata address does not name that address */
		if (address_is_metadata(address) && !address_from_host(uri->host, &literal))
			return forbidden(decision->config, uri, err);
		return 0;
	}
	if (address_is_metadata(address))
		return forbidden(decision->config, uri, err);
	if (decision->trusted || decision->config->private_allowed)
		return 0;
	if (is_datanode(decision, uri, address))
		return 0;
	if (!address_is_public(address) || address_is_own(address))
		return forbidden(decision->config, uri, err);
	return 0;
}

static bool below(const char *root, const char *path)
{
	size_t len = strlen(root);

	return str_equal(root, "/") ||
	       (str_has_prefix(path, root) && (path[len] == '/' || !path[len]));
}

/* A root that is a link, or is below one, is also where that leads. */
static bool below_real(const char *root, const char *path)
{
	char real[PATH_MAX];

	return realpath(root, real) && below(real, path);
}

/* The longest 'file = …' that @path is below by its name; or NULL. */
static const char *file_root(const struct config *config, const char *path)
{
	return longest(&config->file_roots, path, below);
}

/*
 * Whether links have led to below where a root really is. A file system that does not answer keeps
 * who asks where a root on it is, who may be a thread of a mount: so first that root which the name
 * that was asked for is below, where @path has most probably come from and whose file system has
 * just answered. The others are asked for what leads out of it.
 */
static bool below_real_root(const struct decision *decision, const char *path)
{
	const struct config_list *roots = &decision->config->file_roots;

	if (decision->root && below_real(decision->root, path))
		return true;
	for (size_t i = 0; i < roots->count; i++)
		if (roots->items[i] != decision->root && below_real(roots->items[i], path))
			return true;
	return false;
}

/*
 * By name; and when it was @found the backend asks once more, by the name to which symbolic links
 * have led. Where it is opened with the rights of who asks there is nothing to forbid.
 */
static int check_file(
	const struct decision *decision, const struct uri *uri, bool found, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int r = uri_file_path(uri, &path, err);
	int folder;

	if (r < 0)
		return r;
	if (decision->as_user || (decision->trusted && !decision->through_mount))
		return 0;
	if (file_root(decision->config, path))
		return 0;
	if (found && below_real_root(decision, path))
		return 0;
	folder = (int)(strrchr(path, '/') - path);
	return err_set(err, ERR_POLICY, EACCES,
		"forbidden by policy: add 'file = %.*s' to [policy]", folder > 0 ? folder : 1,
		path);
}

/* A user in the URI has credentials of his own, unless he is only believed to be who he says. */
static bool has_own(const struct origin *origin, const struct uri *uri)
{
	return (uri->user || uri->password) && !origin->is_hdfs && !origin->is_hadoop;
}

/* Where the configuration has credentials, only whom they serve may go, with or without them. */
static int check_users(const struct decision *decision, const struct uri *uri, struct err *err)
{
	const struct origin *origin = config_origin(decision->config, uri->text);

	if (!origin || has_own(origin, uri) || !config_has_credentials(origin) ||
		policy_serves(decision->config, origin, decision->uid, decision->trusted))
		return 0;
	return err_set(err, ERR_POLICY, EACCES,
		"forbidden by policy: 'users = …' in [%s \"%s\"] does not name uid %u",
		config_section_of(origin), origin->prefix, (unsigned int)decision->uid);
}

static struct policy_rule rule_of(const struct decision *decision, const struct uri *uri)
{
	struct policy_rule rule = {
		.deny = longest(&decision->config->deny, uri->text, covers_loosely),
		.allow = opening(decision, uri),
	};

	rule.denied = rule.deny && (!rule.allow || strlen(rule.allow) <= strlen(rule.deny));
	return rule;
}

void policy_rule(const struct config *config, const struct uri *uri, struct policy_rule *ret)
{
	const struct decision decision = {
		.config = config, .origin = config_origin(config, uri->text)};

	*ret = rule_of(&decision, uri);
}

bool policy_is_open(const char *scheme)
{
	for (size_t i = 0; i < ARRAY_SIZE(open_schemes); i++)
		if (str_equal(scheme, open_schemes[i]))
			return true;
	return false;
}

/* @found: not as it was asked for, but as what that has led to. */
static int check_uri(
	const struct decision *decision, const struct uri *uri, bool found, struct err *err)
{
	const struct config *config = decision->config;
	const struct policy_rule rule = rule_of(decision, uri);
	struct sockaddr_storage literal;
	bool open = decision->trusted || rule.allow || policy_is_open(uri->scheme);
	int r;

	if (rule.denied)
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: 'deny = %s' in [policy]", rule.deny);
	r = check_users(decision, uri, err);
	if (r < 0)
		return r;
	if (str_equal(uri->scheme, "file"))
		return check_file(decision, uri, found, err);
	if (!open)
		return forbidden(decision->config, uri, err);
	if (!decision->trusted && (uri->user || uri->password) &&
		str_equal(config_section_for(config, uri), "hdfs"))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: only the owner of the cache may say by the URI who "
			"asks: add a section [hdfs] with 'user = …'");
	/* no section can name it, so that one would be for all of them */
	if (!decision->trusted && (uri->user || uri->password) &&
		str_equal(config_section_for(config, uri), "hadoop"))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: only the owner of the cache may name a container in "
			"front of the '@'");
	/* a bucket is no host; where it is, is asked of the URIs that it leads to */
	if (!str_equal(uri->scheme, "s3") && address_from_host(uri->host, &literal))
		return check_address(decision, uri, (const struct sockaddr *)&literal, err);
	return 0;
}

static const struct decision *decision_of(const struct guard *guard)
{
	return (const struct decision *)((const char *)guard - offsetof(struct decision, guard));
}

static int guard_uri(const struct guard *guard, const struct uri *uri, struct err *err)
{
	return check_uri(decision_of(guard), uri, true, err);
}

static int guard_address(const struct guard *guard, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	return check_address(decision_of(guard), uri, address, err);
}

/* The version of an object opens nothing. */
static bool has_secret_query(const struct uri *uri, const struct origin *origin)
{
	if (!uri->query || (origin && origin->public_query))
		return false;
	return !str_equal(uri->scheme, "s3") || !str_has_prefix(uri->query, "versionId=") ||
	       strchr(uri->query, '&');
}

/* The root that a local file is below by the name that was asked for; NULL: none, or another URI.
 */
static int root_of(
	const struct config *config, const struct uri *uri, const char **ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int r = str_equal(uri->scheme, "file") ? uri_file_path(uri, &path, err) : 0;

	*ret = path ? file_root(config, path) : NULL;
	return r;
}

int policy_decide(const struct config *config, const struct uri *uri, uid_t uid, uid_t owner,
	bool through_mount, const uint8_t secret[DIGEST_SIZE], struct decision *ret,
	struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);
	struct decision decision = {
		.secret_query = has_secret_query(uri, origin),
		.own_credentials = uri->user || uri->password,
		.origin = origin,
		.guard = {.uri = guard_uri, .address = guard_address},
		.config = config,
		.uid = uid,
		.trusted = uid == owner,
		.through_mount = through_mount,
		/* only root can; and who comes by a mount may have given up rights of his uid */
		.as_user = owner == 0 && uid != owner && !through_mount,
	};
	int r = check_uri(&decision, uri, false, err);

	if (r == 0)
		r = root_of(config, uri, &decision.root, err);
	if (r == 0)
		r = policy_scope(uri, secret, &decision, err);
	if (r < 0)
		return r;
	*ret = decision;
	return 0;
}
