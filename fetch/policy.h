/*
 * Policy: who may ask for what, decided before any request; and whose it then is.
 *
 * The decision covers the URI, each redirect, and each address connected to. A refusal is -EACCES
 * and names the line of the configuration that would allow it. Whom an artifact belongs to (its
 * scope) is part of its key in the cache: public, or private to a user or to a credential.
 */
#ifndef FETCHFS_FETCH_POLICY_H
#define FETCHFS_FETCH_POLICY_H

#include "backends/backend.h"
#include "base/digest.h"
#include "base/uri.h"
#include "fetch/config.h"

#include <sys/types.h>

#define SCOPE_MAX 96

struct decision {
	char scope[SCOPE_MAX]; /* "" is public */
	bool secret_query;     /* the URI has a query, which is to be shown to nobody */
	bool own_credentials;  /* the URI has a user: that, and nothing of the configuration */
	bool ambient; /* no section, which it needs: what the owner of the cache has anyhow */
	const struct origin *origin; /* the section of the URI, or NULL */
	const char *root;   /* file: the longest 'file = …' it is below by its name, or NULL */
	struct guard guard; /* for the requests that follow; valid while the decision is */
	const struct config *config;
	uid_t uid;
	bool trusted; /* asked by the owner of the cache: private addresses are open */
	bool through_mount;
	bool as_user; /* files of this machine are opened with the rights of uid */
};

/*
 * Decide on @uri for @uid. @owner is the uid whose cache this is; @secret keys the HMAC that
 * stands for credentials in a scope. *ret refers to @config.
 */
int policy_decide(const struct config *config, const struct uri *uri, uid_t uid, uid_t owner,
	bool through_mount, const uint8_t secret[DIGEST_SIZE], struct decision *ret,
	struct err *err);

/* What of the configuration is about @uri, for who wants to know why. */
struct policy_rule {
	const char *deny;  /* the longest prefix that is denied, or NULL */
	const char *allow; /* the longest one that is allowed, or has a section; or NULL */
	bool denied;       /* the former wins */
};
void policy_rule(const struct config *config, const struct uri *uri, struct policy_rule *ret);

/* Whether URIs of @scheme are open to everybody, apart from where they lead. */
bool policy_is_open(const char *scheme);

/* Whether the credentials of a section serve @uid: whom it names, the owner and root. */
bool policy_serves(
	const struct config *config, const struct origin *origin, uid_t uid, bool is_owner);

/*
 * Scopes:
 *
 *	""               everybody's
 *	"uid:N"          a user's own: of URIs with a query, and what his own keys of S3 open
 *	"user:HMAC"      of who knows a user and password that the URI had
 *	"origin:ID"      of whom the section with this id serves
 *	"origin:ID:N"    likewise, of URIs with a query
 */

/* The scope that @decision, whose other fields are made, comes to. */
int policy_scope(const struct uri *uri, const uint8_t secret[DIGEST_SIZE],
	struct decision *decision, struct err *err);

/* The scope in which @uid sees entries that are its own: "uid:N". */
void policy_user_scope(uid_t uid, char ret[SCOPE_MAX]);

/* Whether @uid may see what is in @scope. Root sees all. */
bool policy_may_see(const struct config *config, const char *scope, uid_t uid, uid_t owner);

/*
 * The scopes beside the public one that @uid may look into without naming a URI: as text for the
 * catalog, the caller's to free(). Never NULL on success.
 */
int policy_scopes(const struct config *config, uid_t uid, uid_t owner, char **ret, struct err *err);

#endif
