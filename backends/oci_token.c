#include "backends/oci_token.h"

#include "backends/oci_answer.h"
#include "backends/oci_ask.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX   ((size_t)64 * 1024)
#define USUAL_S      60 /* unless the server says otherwise */
#define LONGEST_S    (60 * 60)
#define EARLY_PERMIL 100 /* it is not used to its very end */

/* One question. */
struct ask {
	struct http_dialect dialect; /* first, so that it is the question */
	bool with_secret;
};

static void json_freep(json_t **json)
{
	json_decref(*json);
}

/* Nobody is sent elsewhere for a token, and no secret is taken there. */
static int moved(struct http_dialect *dialect, const struct transfer *transfer,
	const struct uri *at, char **ret, struct err *err)
{
	long status = transfer_status(transfer);

	(void)dialect;
	(void)at;
	(void)ret;
	return status < 400
		       ? err_set(err, ERR_REMOTE, EBADMSG, "%ld where a token should be", status)
		       : 0;
}

/* Nothing of what it says is repeated: it has been told a secret. */
static int refused(struct http_dialect *dialect, long status, const char *body, struct err *err)
{
	const struct ask *ask = (struct ask *)dialect;

	(void)body;
	if (status != 400 && status != 401 && status != 403)
		return -err->code;
	return err_set(err, ERR_REMOTE, EACCES, "%ld %s", status,
		ask->with_secret ? "the credentials are refused" : "nobody may ask as anybody");
}

static int check_realm(const struct oci_repo *oci, const struct uri *realm, struct err *err)
{
	bool plain = str_equal(realm->scheme, "http");

	if (realm->user || realm->password || (!plain && !str_equal(realm->scheme, "https")))
		return err_set(
			err, ERR_REMOTE, EBADMSG, "the registry names a token server that is none");
	if (plain && !str_has_prefix(oci->endpoint, "http://"))
		return err_set(err, ERR_POLICY, EACCES,
			"the registry's token server speaks plain http, where no secret goes");
	return 0;
}

/* "service=…&scope=…": without a scope what the repository needs to be read. */
static char *make_query(const struct oci_repo *oci, const struct oci_challenge *challenge)
{
	CLEANUP(str_freep) char *usual = str_printf("repository:%s:pull", oci->name.repo);
	CLEANUP(str_freep) char *service = uri_escape(challenge->service, "");
	CLEANUP(str_freep) char *scope = NULL;

	if (!usual || !service)
		return NULL;
	scope = uri_escape(challenge->scope[0] ? challenge->scope : usual, "");
	if (!scope)
		return NULL;
	return str_printf(
		"%s%s%sscope=%s", *service ? "service=" : "", service, *service ? "&" : "", scope);
}

static int make_form(const char *query, const char *identity, char **ret, struct err *err)
{
	CLEANUP(str_free_secretp) char *token = uri_escape(identity, "");

	if (token)
		*ret = str_printf("grant_type=refresh_token&client_id=fetchfs&%s&refresh_token=%s",
			query, token);
	return *ret ? 0 : err_oom(err);
}

static int make_uri(const struct uri *realm, const char *query, struct uri *ret, struct err *err)
{
	CLEANUP(str_freep)
	char *text = str_printf("%s%s%s", realm->text, realm->query ? "&" : "?", query);

	return text ? uri_parse(text, ret, err) : err_oom(err);
}

/* ---- the answer ---- */

static bool is_token(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *text;
}

static int64_t good_for(const json_t *answer)
{
	const json_t *said = json_object_get(answer, "expires_in");
	int64_t seconds = json_is_number(said) ? (int64_t)json_number_value(said) : USUAL_S;

	if (seconds < 1)
		seconds = 1;
	if (seconds > LONGEST_S)
		seconds = LONGEST_S;
	return seconds * (1000 - EARLY_PERMIL);
}

static int read_answer(
	const struct oci_answer *answer, char **ret, int64_t *ret_good_ms, struct err *err)
{
	CLEANUP(json_freep)
	json_t *json = json_loadb(
		answer->text ? answer->text : "", answer->len, JSON_REJECT_DUPLICATES, NULL);
	const char *token = json_string_value(json_object_get(json, "token"));

	if (!token || !*token)
		token = json_string_value(json_object_get(json, "access_token"));
	if (!token || !is_token(token))
		return err_set(err, ERR_REMOTE, EBADMSG, "its answer has no token");
	*ret_good_ms = good_for(json);
	*ret = str_copy(token);
	return *ret ? 0 : err_oom(err);
}

static int ask_server(struct oci_repo *oci, const struct uri *uri, const char *form,
	const struct oci_credentials *credentials, struct oci_answer *answer, struct err *err)
{
	/* to this place only, and by curl's hands, which does not show it */
	const struct access access = {
		.prefix = uri->text,
		.user = form ? NULL : credentials->user,
		.password = form ? NULL : credentials->password,
	};
	const struct backend_request request = {
		.uri = uri,
		.guard = oci->asked->guard,
		.access = &access,
		.proxy = oci->asked->proxy,
		.no_cache = true,
	};
	struct ask ask = {
		.dialect = {.form = form, .moved = moved, .refused = refused},
		.with_secret = form || credentials->user,
	};

	return http_fetch(oci->env, &request, &ask.dialect, &answer->sink, err);
}

int oci_token_ask(struct oci_repo *oci, const struct oci_challenge *challenge,
	const struct oci_credentials *credentials, char **ret, int64_t *ret_good_ms,
	struct err *err)
{
	CLEANUP(oci_answer_release) struct oci_answer answer;
	CLEANUP(uri_release) struct uri realm = {.text = NULL};
	CLEANUP(uri_release) struct uri whole = {.text = NULL};
	CLEANUP(str_freep) char *query = make_query(oci, challenge);
	CLEANUP(str_free_secretp) char *form = NULL;
	struct err why = ERR_INIT;
	int r = query ? 0 : err_oom(&why);

	oci_answer_init(&answer, ANSWER_MAX, oci_repo_poll, oci);
	if (r == 0 && uri_parse(challenge->realm, &realm, NULL) < 0)
		r = err_set(&why, ERR_REMOTE, EBADMSG,
			"the registry names a token server that is none");
	if (r == 0)
		r = check_realm(oci, &realm, &why);
	if (r == 0 && credentials->identity)
		r = make_form(query, credentials->identity, &form, &why);
	else if (r == 0)
		r = make_uri(&realm, query, &whole, &why);
	if (r == 0)
		r = ask_server(oci, form ? &realm : &whole, form, credentials, &answer, &why);
	if (r == 0)
		r = read_answer(&answer, ret, ret_good_ms, &why);
	if (r < 0 && realm.host && why.code == -r && why.kind != ERR_CANCELLED)
		err_context(&why, "a token from %.100s", realm.host);
	if (r < 0 && err)
		*err = why;
	return r;
}
