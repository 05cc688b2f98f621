/* Whose an artifact is, and who may see what is whose. */
#include "fetch/policy.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_MARK "origin:"

bool policy_serves(
	const struct config *config, const struct origin *origin, uid_t uid, bool is_owner)
{
	return is_owner || uid == 0 || members_has(config->members, &origin->users, uid);
}

void policy_user_scope(uid_t uid, char ret[SCOPE_MAX])
{
	snprintf(ret, SCOPE_MAX, "uid:%u", (unsigned int)uid);
}

static void origin_scope(const struct origin *origin, char ret[SCOPE_MAX])
{
	snprintf(ret, SCOPE_MAX, ORIGIN_MARK "%s", origin->id);
}

/* What a query of a user opened below a section with credentials. */
static void origin_user_scope(const struct origin *origin, uid_t uid, char ret[SCOPE_MAX])
{
	snprintf(ret, SCOPE_MAX, ORIGIN_MARK "%s:%u", origin->id, (unsigned int)uid);
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

	if (!both)
		return err_oom(err);
	digest_hmac(secret, DIGEST_SIZE, both, len, &hmac);
	explicit_bzero(both, len);
	digest_hex(&hmac, hex);
	snprintf(ret, SCOPE_MAX, "user:%s", hex);
	return 0;
}

int policy_scope(const struct uri *uri, const uint8_t secret[DIGEST_SIZE],
	struct decision *decision, struct err *err)
{
	const struct origin *origin = decision->origin;

	if (decision->own_credentials)
		return credential_scope(uri, secret, decision->scope, err);
	decision->ambient =
		!origin && decision->trusted && config_section_for(decision->config, uri);
	if (origin && config_has_credentials(origin)) {
		if (decision->secret_query)
			origin_user_scope(origin, decision->uid, decision->scope);
		else
			origin_scope(origin, decision->scope);
	} else if (decision->secret_query || decision->ambient) {
		policy_user_scope(decision->uid, decision->scope);
	}
	return 0;
}

static bool may_see_origin(const struct config *config, const char *scope, uid_t uid, uid_t owner)
{
	for (size_t i = 0; i < config->origin_count; i++) {
		const struct origin *origin = &config->origins[i];
		char shared[SCOPE_MAX];
		char own[SCOPE_MAX];

		origin_scope(origin, shared);
		origin_user_scope(origin, uid, own);
		if (str_equal(scope, shared) || str_equal(scope, own))
			return policy_serves(config, origin, uid, uid == owner);
	}
	return false;
}

bool policy_may_see(const struct config *config, const char *scope, uid_t uid, uid_t owner)
{
	char own[SCOPE_MAX];

	if (uid == 0 || !*scope)
		return true;
	policy_user_scope(uid, own);
	if (str_equal(scope, own))
		return true;
	return str_has_prefix(scope, ORIGIN_MARK) && may_see_origin(config, scope, uid, owner);
}

static int append(char **scopes, const char *scope, struct err *err)
{
	char *longer = str_printf("%s%s%s", *scopes ? *scopes : "", *scopes ? " " : "", scope);

	if (!longer)
		return err_oom(err);
	free(*scopes);
	*scopes = longer;
	return 0;
}

int policy_scopes(const struct config *config, uid_t uid, uid_t owner, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *scopes = NULL;
	char scope[SCOPE_MAX];
	int r;

	policy_user_scope(uid, scope);
	r = append(&scopes, scope, err);
	for (size_t i = 0; r == 0 && i < config->origin_count; i++) {
		const struct origin *origin = &config->origins[i];

		if (!config_has_credentials(origin) ||
			!policy_serves(config, origin, uid, uid == owner))
			continue;
		origin_scope(origin, scope);
		r = append(&scopes, scope, err);
		origin_user_scope(origin, uid, scope);
		if (r == 0)
			r = append(&scopes, scope, err);
	}
	if (r < 0)
		return r;
	*ret = str_steal(&scopes);
	return 0;
}
