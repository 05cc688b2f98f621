#include "backends/oci_login.h"

#include "backends/oci_ask.h"
#include "backends/oci_helper.h"
#include "backends/oci_token.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASIC_MS (5 * 60 * 1000) /* after that a helper is asked again */

static void login_free(struct oci_fact *fact)
{
	struct oci_login *login = (struct oci_login *)fact;

	str_free_secret(login->bearer);
	str_free_secret(login->user);
	str_free_secret(login->password);
	free(login);
}

void oci_login_unref(struct oci_login *login)
{
	if (login)
		oci_fact_unref(&login->fact);
}

/* NULL: out of memory. */
static char *key_of(const struct oci_repo *oci)
{
	return str_printf("login %s %s %s", oci->endpoint, oci->name.repo, oci->identity);
}

struct oci_login *oci_login_peek(const struct oci_repo *oci)
{
	CLEANUP(str_freep) char *key = key_of(oci);

	return key ? (struct oci_login *)oci_memory_peek(oci->env->oci_memory, key) : NULL;
}

/* ---- who asks ---- */

static int copy_credentials(const char *user, const char *password, const char *identity,
	struct oci_credentials *ret, struct err *err)
{
	struct oci_credentials copy = {
		.user = str_copy(user),
		.password = str_copy(password),
		.identity = str_copy(identity),
	};

	if ((user && !copy.user) || (password && !copy.password) || (identity && !copy.identity)) {
		oci_credentials_release(&copy);
		return err_oom(err);
	}
	*ret = copy;
	return 0;
}

/* A user in the URI comes before the configuration's. */
static int find_credentials(struct oci_repo *oci, struct oci_credentials *ret, struct err *err)
{
	const struct uri *uri = oci->asked->uri;
	const struct access_oci *access = oci->access;

	*ret = (struct oci_credentials){.user = NULL};
	if (uri->user || uri->password)
		return copy_credentials(uri->user ? uri->user : "",
			uri->password ? uri->password : "", NULL, ret, err);
	if (access->helper && !access->user && !access->identity)
		return oci_helper_get(
			oci->env, access->helper, access->server, oci_repo_poll, oci, ret, err);
	return copy_credentials(access->user, access->password, access->identity, ret, err);
}

/* ---- what opens the door ---- */

static int make(struct oci_repo *oci, const struct oci_challenge *challenge,
	struct oci_login *login, struct err *err)
{
	CLEANUP(oci_credentials_release) struct oci_credentials credentials;
	int64_t good_ms = BASIC_MS;
	int r = find_credentials(oci, &credentials, err);

	if (r < 0)
		return r;
	if (challenge->bearer) {
		r = oci_token_ask(oci, challenge, &credentials, &login->bearer, &good_ms, err);
	} else if (challenge->basic && credentials.user) {
		login->user = str_steal(&credentials.user);
		login->password = str_steal(&credentials.password);
	} else if (challenge->basic) {
		r = err_set(err, ERR_REMOTE, EACCES,
			"401 unauthorized: the registry wants a user and a password");
	} else {
		r = err_set(err, ERR_REMOTE, EACCES,
			"401 unauthorized: how to log in is not understood");
	}
	login->fact.until = clock_monotonic_ms() + good_ms;
	return r;
}

int oci_login_get(struct oci_repo *oci, const struct oci_challenge *challenge,
	const struct oci_login *stale, struct oci_login **ret, struct err *err)
{
	struct oci_memory *memory = oci->env->oci_memory;
	CLEANUP(str_freep) char *key = key_of(oci);
	struct oci_fact *known = NULL;
	struct err why = ERR_INIT;
	struct oci_login *login;
	int r;

	if (!key)
		return err_oom(err);
	if (stale)
		oci_memory_forget(memory, key, &stale->fact);
	r = oci_memory_find(memory, key, oci_repo_poll, oci, &known, err);
	if (r == 1)
		*ret = (struct oci_login *)known;
	if (r != 0)
		return r < 0 ? r : 0;
	login = calloc(1, sizeof(*login));
	if (login) {
		oci_fact_init(&login->fact, login_free, 0, sizeof(*login));
		r = make(oci, challenge, login, &why);
	} else {
		r = err_oom(&why);
	}
	oci_memory_tell(memory, key, r < 0 ? NULL : &login->fact, r < 0 ? &why : NULL);
	if (r < 0) {
		oci_login_unref(login);
		if (err)
			*err = why;
		return r;
	}
	*ret = login;
	return 0;
}
