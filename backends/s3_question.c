#include "backends/s3_question.h"

#include "backends/s3_error.h"
#include "backends/s3_sign.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION        "versionId="
#define CHECKSUMS      "x-amz-checksum-mode:ENABLED"
#define SIGNED_SECONDS (5 * 60)

static const struct access_s3 nobody;
static const char nothing[] = "x-amz-content-sha256:" S3_NO_BODY;

/* ---- the dialect ---- */

static char *host_line(const struct uri *at)
{
	return str_printf("host:%s%s%s", at->host, at->port ? ":" : "", at->port ? at->port : "");
}

/* "name:value", as it is signed, as it is sent. */
static char *as_sent(const char *line)
{
	size_t name = strcspn(line, ":");

	return str_printf("%.*s: %s", (int)name, line, line + name + 1);
}

static void freep_secret(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	str_freep(text);
}

static int sign(const struct s3_question *question, const struct uri *at, bool head,
	char *ret[HTTP_DIALECT_HEADERS], struct err *err)
{
	CLEANUP(str_freep) char *path = s3_sign_encode(at->path, true);
	CLEANUP(str_freep) char *host = host_line(at);
	CLEANUP(str_freep) char *date = NULL;
	CLEANUP(freep_secret) char *token = NULL;
	CLEANUP(str_freep) char *authorization = NULL;
	char moment[S3_DATE_SIZE];
	size_t count = 0;
	int r;

	s3_sign_date(question->signed_at, moment);
	date = str_printf("x-amz-date:%s", moment);
	if (question->token)
		token = str_printf("x-amz-security-token:%s", question->token);
	if (!path || !host || !date || (question->token && !token))
		return err_oom(err);

	/* sorted, and host is curl's to send */
	const char *const lines[] = {host, CHECKSUMS, nothing, date, token, NULL};
	const struct s3_signing signing = {
		.method = head ? "HEAD" : "GET",
		.path = path,
		.query = at->query,
		.headers = lines,
		.body = S3_NO_BODY,
		.key_id = question->key_id,
		.secret = question->secret,
		.region = question->place.region,
		.now = question->signed_at,
	};

	r = s3_sign(&signing, &authorization, err);
	if (r < 0)
		return r;
	for (const char *const *line = lines + 1; *line; line++) {
		ret[count] = as_sent(*line);
		if (!ret[count++])
			return err_oom(err);
	}
	ret[count] = str_printf("Authorization: %s", authorization);
	return ret[count] ? 0 : err_oom(err);
}

static int headers(struct http_dialect *dialect, const struct uri *at, bool head,
	char *ret[HTTP_DIALECT_HEADERS], struct err *err)
{
	struct s3_question *question = (struct s3_question *)dialect;

	question->signed_at = clock_wall();
	/* who is not the bucket's own learns nothing of who asks */
	if (!s3_place_owns(&question->place, at))
		return 0;
	if (!question->key_id) {
		ret[0] = as_sent(CHECKSUMS);
		return ret[0] ? 0 : err_oom(err);
	}
	return sign(question, at, head, ret, err);
}

/* A bucket is in one region, whose server alone has it; any other says which one that is. */
static int moved(struct http_dialect *dialect, const struct transfer *transfer,
	const struct uri *at, char **ret, struct err *err)
{
	struct s3_question *question = (struct s3_question *)dialect;
	const char *region = transfer_header(transfer, "x-amz-bucket-region");
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	int r;

	if (question->moved || !region || !s3_place_owns(&question->place, at) ||
		!s3_place_move(&question->place, region))
		return 0;
	question->moved = true;
	if (!question->place.endpoint)
		s3_regions_note(question->regions, &question->place);
	r = s3_place_uri(&question->place, question->path, question->query, &uri, err);
	if (r < 0)
		return r;
	*ret = str_copy(uri.text);
	return *ret ? 0 : err_oom(err);
}

/* One of parts (it has a '-') is not that of the whole. */
static void answered(
	struct http_dialect *dialect, const struct transfer *transfer, struct remote *remote)
{
	const char *text = transfer_header(transfer, "x-amz-checksum-sha256");

	(void)dialect;
	if (text)
		(void)checksum_parse_base64(CHECKSUM_SHA256, text, &remote->checksum, NULL);
}

static int refused(struct http_dialect *dialect, long status, const char *body, struct err *err)
{
	const struct s3_question *question = (struct s3_question *)dialect;
	const char *secrets[] = {question->key_id, question->secret, question->token, NULL};

	int r = s3_error(status, body, question->key_id ? secrets : secrets + 3, err);

	/* it may have waited so long for its turn that its signature, or the token, was too old */
	if (r == -EACCES && question->key_id && clock_wall() - question->signed_at > SIGNED_SECONDS)
		err->retry = true;
	return r;
}

/* ---- the question ---- */

/* The path and query of an object. */
static int take_object(struct s3_question *question, const struct uri *uri, struct err *err)
{
	CLEANUP(str_freep) char *version = NULL;

	if (str_equal(uri->path, "/"))
		return err_set(err, ERR_USAGE, EISDIR, "it is a bucket");
	question->path = s3_sign_encode(uri->path, true);
	if (!question->path)
		return err_oom(err);
	if (!uri->query)
		return 0;
	/* what else may follow a '?' there is for the bucket's owner, and asks for no object */
	if (!str_has_prefix(uri->query, VERSION) || strchr(uri->query, '&'))
		return err_set(
			err, ERR_USAGE, EINVAL, "the query of an s3 URI can only be versionId=…");
	version = s3_sign_encode(uri->query + strlen(VERSION), false);
	if (version)
		question->query = str_printf(VERSION "%s", version);
	return question->query ? 0 : err_oom(err);
}

static int take_bucket(struct s3_question *question, const char *query, struct err *err)
{
	question->path = str_copy("/");
	question->query = str_copy(query);
	return question->path && question->query ? 0 : err_oom(err);
}

/* Whose request it is: a user in the URI comes before the configuration's. */
static int take_keys(struct s3_question *question, const struct backend_env *env,
	const struct backend_request *asked, const struct access_s3 *access, bool may_wait,
	struct err *err)
{
	const struct uri *uri = asked->uri;
	int r;

	if (uri->user || uri->password) {
		question->key_id = uri->password ? uri->user : NULL;
		question->secret = uri->password;
		return 0;
	}
	question->key_id = access->secret ? access->key_id : NULL;
	question->secret = access->secret;
	question->token = access->token;
	if (access->source == S3_SOURCE_GIVEN)
		return 0;
	r = s3_wallet_get(env, asked, access, may_wait, &question->lent, err);
	question->key_id = question->lent.id;
	question->secret = question->lent.secret;
	question->token = question->lent.token;
	return r;
}

int s3_question_init(struct s3_question *question, const struct backend_env *env,
	const struct backend_request *asked, const char *query, bool may_wait, struct err *err)
{
	const struct uri *uri = asked->uri;
	const struct access *given = asked->access;
	const struct access_s3 *access =
		given && given->s3 && uri_is_below(given->prefix, uri->text) ? given->s3 : &nobody;
	int r;

	*question = (struct s3_question){
		.dialect = {.no_pages = true,
			.headers = headers,
			.moved = moved,
			.answered = answered,
			.refused = refused},
		.regions = env->s3_regions,
		.request = *asked,
		.place = {.bucket = uri->host,
			.endpoint = access->endpoint,
			.style = access->style},
	};
	r = asked->guard ? asked->guard->uri(asked->guard, uri, err) : 0;
	if (r < 0)
		return r;
	if (!access->region || !s3_place_move(&question->place, access->region))
		s3_place_move(&question->place, S3_REGION_DEFAULT);
	if (!access->endpoint) /* elsewhere a bucket of that name is another one */
		s3_regions_apply(question->regions, &question->place);
	r = take_keys(question, env, asked, access, may_wait, err);
	if (r < 0)
		return r;
	r = query ? take_bucket(question, query, err) : take_object(question, uri, err);
	if (r == 0)
		r = s3_place_uri(
			&question->place, question->path, question->query, &question->uri, err);
	question->request.uri = &question->uri;
	question->request.access = NULL;
	return r;
}

void s3_question_release(struct s3_question *question)
{
	uri_release(&question->uri);
	s3_keys_release(&question->lent);
	free(question->path);
	free(question->query);
}
