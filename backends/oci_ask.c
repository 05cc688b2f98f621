#include "backends/oci_ask.h"

#include "backends/oci_error.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 2 /* as anybody or with what is known; with what the registry wants */

static const struct access_oci nobody;

static void free_secretp(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	str_freep(text);
}

/* ---- what it is about ---- */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int make_identity(struct oci_repo *oci, struct err *err)
{
	const struct uri *uri = oci->asked->uri;
	const struct access_oci *access = oci->access;
	CLEANUP(free_secretp)
	char *all = str_printf("%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s", or_empty(uri->user),
		or_empty(uri->password), or_empty(access->user), or_empty(access->password),
		or_empty(access->identity), or_empty(access->helper), or_empty(access->server),
		or_empty(access->client_cert));
	struct digest digest;

	if (!all)
		return err_oom(err);
	digest_buffer(all, strlen(all), &digest);
	digest_hex(&digest, oci->identity);
	return 0;
}

/* Where the registry is: as configured, or at https, which is a guess. */
static int make_endpoint(struct oci_repo *oci, const struct uri *uri, struct err *err)
{
	const char *colon = uri->port ? ":" : "";
	const char *port = or_empty(uri->port);

	if (oci->access->endpoint) {
		oci->endpoint = str_copy(oci->access->endpoint);
		return oci->endpoint ? 0 : err_oom(err);
	}
	oci->endpoint = str_printf("https://%s%s%s/", uri->host, colon, port);
	oci->without_tls = str_printf(
		"for plain http [oci \"oci://%s%s%s/\"] needs 'endpoint = http://%s%s%s'",
		uri->host, colon, port, uri->host, colon, port);
	return oci->endpoint && oci->without_tls ? 0 : err_oom(err);
}

int oci_repo_init(struct oci_repo *oci, const struct backend_env *env,
	const struct backend_request *asked, struct sink *sink, struct err *err)
{
	const struct uri *uri = asked->uri;
	const struct access *given = asked->access;
	int r;

	*oci = (struct oci_repo){.env = env, .asked = asked, .access = &nobody, .sink = sink};
	if (given && given->oci && uri_is_below(given->prefix, uri->text))
		oci->access = given->oci;
	r = asked->guard ? asked->guard->uri(asked->guard, uri, err) : 0;
	if (r == 0)
		r = oci_name_init(&oci->name, uri, err);
	if (r == 0)
		r = make_endpoint(oci, uri, err);
	return r == 0 ? make_identity(oci, err) : r;
}

void oci_repo_release(struct oci_repo *oci)
{
	oci_name_release(&oci->name);
	free(oci->endpoint);
	free(oci->without_tls);
}

int oci_repo_poll(void *arg, struct err *err)
{
	const struct oci_repo *oci = arg;

	if (oci->sink)
		return oci->sink->poll(oci->sink, err);
	return oci->asked->poll ? oci->asked->poll(oci->asked->poll_arg, err) : 0;
}

/* ---- the dialect ---- */

static bool is_registry(const struct oci_question *question, const struct uri *at)
{
	return uri_is_below(question->oci->endpoint, at->text);
}

/* Who is not the registry learns nothing of who asks. */
static int headers(struct http_dialect *dialect, const struct uri *at, bool head,
	char *ret[HTTP_DIALECT_HEADERS], struct err *err)
{
	const struct oci_question *question = (struct oci_question *)dialect;
	size_t count = 0;

	(void)head;
	if (!is_registry(question, at))
		return 0;
	if (question->accept) {
		ret[count] = str_printf("Accept: %s", question->accept);
		if (!ret[count++])
			return err_oom(err);
	}
	if (question->login && question->login->bearer) {
		ret[count] = str_printf("Authorization: Bearer %s", question->login->bearer);
		if (!ret[count])
			return err_oom(err);
	}
	return 0;
}

/* Only what the registry itself wants counts. */
static int moved(struct http_dialect *dialect, const struct transfer *transfer,
	const struct uri *at, char **ret, struct err *err)
{
	struct oci_question *question = (struct oci_question *)dialect;

	(void)ret;
	(void)err;
	if (transfer_status(transfer) == 401 && is_registry(question, at))
		oci_challenge_read(transfer_headers(transfer), &question->challenge);
	return 0;
}

static int refused(struct http_dialect *dialect, long status, const char *body, struct err *err)
{
	(void)dialect;
	return oci_error(status, body, err);
}

static int told(struct http_dialect *dialect, const struct transfer *transfer,
	struct remote *remote, struct err *err)
{
	struct oci_question *question = (struct oci_question *)dialect;

	return question->told ? question->told(question, transfer, remote, err) : 0;
}

/* ---- the question ---- */

static int ask_once(struct oci_repo *oci, struct oci_question *question, const struct uri *uri,
	struct sink *sink, struct remote *ret, struct err *err)
{
	const struct access access = {
		.prefix = oci->endpoint,
		.user = question->login ? question->login->user : NULL,
		.password = question->login ? question->login->password : NULL,
		.client_cert = oci->access->client_cert,
	};
	struct backend_request request = *oci->asked;

	request.uri = uri;
	request.access = &access;
	request.known = NULL; /* by its digest it is the right one, or none */
	request.offset = question->offset;
	request.length = question->length;
	if (sink)
		request.poll = NULL;
	question->oci = oci;
	question->challenge = (struct oci_challenge){.basic = false};
	question->dialect = (struct http_dialect){
		.no_pages = true,
		.without_tls = oci->without_tls,
		.headers = headers,
		.moved = moved,
		.told = told,
		.refused = refused,
	};
	if (sink)
		return http_fetch(oci->env, &request, &question->dialect, sink, err);
	if (oci->sink) {
		request.poll = oci_repo_poll;
		request.poll_arg = oci;
	}
	return http_stat(oci->env, &request, &question->dialect, ret, err);
}

/* Ask again with what the registry wants. */
static int ask_twice(struct oci_repo *oci, struct oci_question *question, const struct uri *uri,
	struct sink *sink, struct remote *ret, struct err *err)
{
	for (int try = 1;; try++) {
		const struct oci_challenge *challenge = &question->challenge;
		struct oci_login *login = NULL;
		int r = ask_once(oci, question, uri, sink, ret, err);

		if (r >= 0 || try == TRIES || (!challenge->basic && !challenge->bearer))
			return r;
		r = oci_login_get(oci, challenge, question->login, &login, err);
		if (r < 0)
			return r;
		oci_login_unref(question->login);
		question->login = login;
	}
}

int oci_ask(struct oci_repo *oci, struct oci_question *question, const char *kind,
	const char *reference, struct sink *sink, struct remote *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(str_freep)
	char *text = str_printf("%sv2/%s/%s/%s", oci->endpoint, oci->name.repo, kind, reference);
	int r = text ? uri_parse(text, &uri, err) : err_oom(err);

	if (r < 0)
		return r;
	question->login = oci_login_peek(oci);
	r = ask_twice(oci, question, &uri, sink, ret, err);
	oci_login_unref(question->login);
	question->login = NULL;
	return r;
}
