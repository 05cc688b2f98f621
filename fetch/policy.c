#include "fetch/policy.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/address.h"

#include <errno.h>
#include <stdio.h>
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
	bool slash = false;

	for (;;) {
		unsigned char a, b;

		if (!*prefix)
			return slash || !*text || *text == '?' || skip_slashes(text) != text;
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

static bool is_allowed(const struct config *config, const struct uri *uri)
{
	return longest(&config->allow, uri->text, uri_is_below);
}

/* One text, whatever is behind the URI: a refusal must not tell what the network looks like. */
static int forbidden(const struct uri *uri, struct err *err)
{
	return err_set(err, ERR_POLICY, EACCES,
		"forbidden by policy: add 'allow = %s://%s%s%s/' to [policy]", uri->scheme,
		uri->host, uri->port ? ":" : "", uri->port ? uri->port : "");
}

/* Whether @uri may lead to @address; nobody is asked what @uri resolves to. */
static int check_address(const struct decision *decision, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	struct sockaddr_storage literal;

	if (is_allowed(decision->config, uri)) {
		/* a name in front of a metadata address does not name that address */
		if (address_is_metadata(address) && !address_from_host(uri->host, &literal))
			return forbidden(uri, err);
		return 0;
	}
	if (address_is_metadata(address))
		return forbidden(uri, err);
	if (decision->trusted || decision->config->private_allowed)
		return 0;
	if (!address_is_public(address) || address_is_own(address))
		return forbidden(uri, err);
	return 0;
}

static bool below(const char *root, const char *path)
{
	size_t len = strlen(root);

	return str_equal(root, "/") ||
	       (str_has_prefix(path, root) && (path[len] == '/' || !path[len]));
}

/* By name only: what a symbolic link leads to is seen when the file is opened. */
static int check_file(const struct decision *decision, const struct uri *uri, struct err *err)
{
	const struct config_list *roots = &decision->config->file_roots;
	CLEANUP(str_freep) char *path = NULL;
	int r = uri_file_path(uri, &path, err);
	int folder;

	if (r < 0)
		return r;
	if (decision->trusted && !decision->through_mount)
		return 0;
	for (size_t i = 0; i < roots->count; i++)
		if (below(roots->items[i], path))
			return 0;
	folder = (int)(strrchr(path, '/') - path);
	return err_set(err, ERR_POLICY, EACCES,
		"forbidden by policy: add 'file = %.*s' to [policy]", folder > 0 ? folder : 1,
		path);
}

static int check_uri(const struct decision *decision, const struct uri *uri, struct err *err)
{
	const struct config *config = decision->config;
	const char *deny = longest(&config->deny, uri->text, covers_loosely);
	const char *allow = longest(&config->allow, uri->text, uri_is_below);
	struct sockaddr_storage literal;
	bool open = decision->trusted || allow;

	if (deny && (!allow || strlen(allow) <= strlen(deny)))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: 'deny = %s' in [policy]", deny);
	if (str_equal(uri->scheme, "file"))
		return check_file(decision, uri, err);

	for (size_t i = 0; i < ARRAY_SIZE(open_schemes); i++)
		open = open || str_equal(uri->scheme, open_schemes[i]);
	if (!open)
		return forbidden(uri, err);
	if (address_from_host(uri->host, &literal))
		return check_address(decision, uri, (const struct sockaddr *)&literal, err);
	return 0;
}

static const struct decision *decision_of(const struct guard *guard)
{
	return (const struct decision *)((const char *)guard - offsetof(struct decision, guard));
}

static int guard_uri(const struct guard *guard, const struct uri *uri, struct err *err)
{
	return check_uri(decision_of(guard), uri, err);
}

static int guard_address(const struct guard *guard, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	return check_address(decision_of(guard), uri, address, err);
}

/* Who knows user and password shares what they open: "user:" and an HMAC of both. */
static int credential_scope(const struct uri *uri, const uint8_t secret[DIGEST_SIZE],
	char ret[SCOPE_MAX], struct err *err)
{
	const char *user = uri->user ? uri->user : "";
	const char *password = uri->password ? uri->password : "";
	CLEANUP(str_freep) char *both = str_printf("%s%c%s", user, '\0', password);
	size_t len = strlen(user) + 1 + strlen(password);
	char hex[DIGEST_HEX_SIZE];
	struct digest hmac;
	int r;

	if (!both)
		return err_oom(err);
	if ((r = digest_hmac(secret, DIGEST_SIZE, both, len, &hmac, err)) < 0)
		return r;
	digest_hex(&hmac, hex);
	snprintf(ret, SCOPE_MAX, "user:%s", hex);
	return 0;
}

int policy_decide(const struct config *config, const struct uri *uri, uid_t uid, uid_t owner,
	bool through_mount, const uint8_t secret[DIGEST_SIZE], struct decision *ret,
	struct err *err)
{
	struct decision decision = {
		.guard = {.uri = guard_uri, .address = guard_address},
		.config = config,
		.trusted = uid == owner,
		.through_mount = through_mount,
	};
	int r = check_uri(&decision, uri, err);

	if (r < 0)
		return r;
	if (uri->user || uri->password) {
		if ((r = credential_scope(uri, secret, decision.scope, err)) < 0)
			return r;
	} else if (uri->query) {
		policy_user_scope(uid, decision.scope);
	}
	*ret = decision;
	return 0;
}

void policy_user_scope(uid_t uid, char ret[SCOPE_MAX])
{
	snprintf(ret, SCOPE_MAX, "uid:%u", (unsigned int)uid);
}

bool policy_may_see(const char *scope, uid_t uid)
{
	char own[SCOPE_MAX];

	if (uid == 0 || !*scope)
		return true;
	policy_user_scope(uid, own);
	return str_equal(scope, own);
}
