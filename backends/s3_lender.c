#include "backends/s3_lender.h"

#include "backends/http.h"
#include "backends/xml.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX  ((size_t)64 * 1024)
#define INSTANCE_MS 1000  /* the metadata server is on this machine, or nowhere */
#define LEND_MS     10000 /* all questions to one of them together */
#define ROLES       "latest/meta-data/iam/security-credentials/"
#define SESSION     "latest/api/token"

struct patience {
	int64_t until_ms; /* by the clock that never goes back */
	bool gave_up;     /* who asked wants no keys any more, for whatever reason */
};

/* Who is asked for keys, on whose behalf, and how. */
struct errand {
	const struct backend_env *env;
	const struct backend_request *asked;
	const struct access_s3 *access;
	struct patience *patience;
};

/* One question, and its answer as a text. */
struct question {
	struct http_dialect dialect; /* first, so that it is the question */
	struct sink sink;
	const struct errand *errand;
	const char *header; /* "Name: value", or NULL */
	char *text;         /* with room for ANSWER_MAX and a NUL */
	size_t len;
};

static struct question *of_sink(struct sink *sink)
{
	return (struct question *)((char *)sink - offsetof(struct question, sink));
}

static int headers(struct http_dialect *dialect, const struct uri *at, bool head,
	char *ret[HTTP_DIALECT_HEADERS], struct err *err)
{
	const struct question *question = (struct question *)dialect;

	(void)at;
	(void)head;
	if (!question->header)
		return 0;
	ret[0] = str_copy(question->header);
	return ret[0] ? 0 : err_oom(err);
}

/* Who lends keys sends nobody elsewhere for them, nor is a secret of ours taken there. */
static int moved(struct http_dialect *dialect, const struct transfer *transfer,
	const struct uri *at, char **ret, struct err *err)
{
	long status = transfer_status(transfer);

	(void)dialect;
	(void)at;
	(void)ret;
	return status < 400 ? err_set(err, ERR_REMOTE, EBADMSG, "%ld where keys should be", status)
			    : 0;
}

static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	(void)sink;
	(void)remote;
	(void)err;
	return 0;
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct question *question = of_sink(sink);

	if (len > ANSWER_MAX - question->len)
		return err_set(err, ERR_REMOTE, EFBIG, "an answer of more than 64 KiB");
	memcpy(question->text + question->len, buf, len);
	question->len += len;
	return 0;
}

static int on_poll(struct sink *sink, struct err *err)
{
	const struct errand *errand = of_sink(sink)->errand;
	const struct backend_request *asked = errand->asked;
	struct patience *patience = errand->patience;
	int r = asked->poll ? asked->poll(asked->poll_arg, err) : 0;

	if (r != 0) {
		patience->gave_up = true;
		return r;
	}
	if (sink->queued) /* it has not been asked yet */
		patience->until_ms = clock_monotonic_ms() + LEND_MS;
	if (clock_monotonic_ms() >= patience->until_ms)
		return err_set_retry(
			err, ERR_NETWORK, ETIMEDOUT, 0, "no answer in %d seconds", LEND_MS / 1000);
	return 0;
}

/* The answer of @text, a URI, is the caller's, for str_free_secretp(). @method NULL: GET. */
static int ask(const struct errand *errand, const char *method, const char *text,
	const char *header, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(str_free_secretp) char *answer = calloc(1, ANSWER_MAX + 1);
	struct question question = {
		.dialect = {.method = method, .headers = headers, .moved = moved},
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll},
		.errand = errand,
		.header = header,
		.text = answer,
	};
	struct backend_request request = {.uri = &uri};
	int r;

	if (!answer)
		return err_oom(err);
	r = uri_parse(text, &uri, err);
	/* a metadata server is here, the other is where buckets are */
	if (r == 0 && str_equal(uri.scheme, "https"))
		request.proxy = errand->asked->proxy;
	if (r == 0)
		r = http_fetch(errand->env, &request, &question.dialect, &question.sink, err);
	if (r < 0)
		return r;
	if (strlen(answer) != question.len)
		return err_set(err, ERR_REMOTE, EBADMSG, "the answer is no text");
	*ret = str_steal(&answer);
	return 0;
}

int64_t s3_lender_time(const char *text)
{
	struct tm utc = {.tm_isdst = 0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);

	if (!end)
		return TIME_UNKNOWN;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return str_equal(end, "Z") ? (int64_t)timegm(&utc) : TIME_UNKNOWN;
}

/* Takes the texts; all must be there and can stand in a header. */
static int take(char *id, char *secret, char *token, const char *expires, struct s3_keys *ret,
	struct err *err)
{
	struct s3_keys keys = {
		.id = id,
		.secret = secret,
		.token = token,
		.expires = expires ? s3_lender_time(expires) : TIME_UNKNOWN,
	};
	const char *const texts[] = {id, secret, token};
	bool good = keys.expires != TIME_UNKNOWN;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		good = good && texts[i] && *texts[i];
		for (const char *p = texts[i]; good && *p; p++)
			good = *p > ' ' && *p <= '~';
	}
	if (!good) {
		s3_keys_release(&keys);
		return err_set(err, ERR_REMOTE, EBADMSG, "the answer has no keys");
	}
	*ret = keys;
	return 0;
}

/* ---- metadata servers: JSON ---- */

static void decrefp(json_t **json)
{
	json_decref(*json);
}

static char *member(const json_t *json, const char *name)
{
	return str_copy(json_string_value(json_object_get(json, name)));
}

static int read_json(const char *text, struct s3_keys *ret, struct err *err)
{
	CLEANUP(decrefp) json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	return take(member(json, "AccessKeyId"), member(json, "SecretAccessKey"),
		member(json, "Token"), json_string_value(json_object_get(json, "Expiration")), ret,
		err);
}

static int ask_container(const struct errand *errand, struct s3_keys *ret, struct err *err)
{
	const struct access_s3 *access = errand->access;
	CLEANUP(str_free_secretp)
	char *header =
		access->source_token ? str_printf("Authorization: %s", access->source_token) : NULL;
	CLEANUP(str_free_secretp) char *answer = NULL;
	int r;

	if (access->source_token && !header)
		return err_oom(err);
	r = ask(errand, NULL, access->source_uri, header, &answer, err);
	return r < 0 ? r : read_json(answer, ret, err);
}

/* The first line of @text, which is a name of a role and so of a place. */
static const char *first_line(char *text)
{
	text[strcspn(text, "\r\n")] = '\0';
	return *text && !strpbrk(text, "/?#% ") ? text : NULL;
}

/* Which role the machine has, and then its keys. @header: of the session. */
static int ask_role(
	const struct errand *errand, const char *header, struct s3_keys *ret, struct err *err)
{
	CLEANUP(str_freep) char *roles = str_printf("%s" ROLES, errand->access->source_uri);
	CLEANUP(str_free_secretp) char *names = NULL;
	CLEANUP(str_free_secretp) char *answer = NULL;
	CLEANUP(str_freep) char *place = NULL;
	const char *name;
	int r = roles ? ask(errand, NULL, roles, header, &names, err) : err_oom(err);

	if (r < 0)
		return r;
	name = first_line(names);
	if (!name)
		return err_set(err, ERR_REMOTE, ENOENT, "the instance has no role");
	place = str_printf("%s%s", roles, name);
	r = place ? ask(errand, NULL, place, header, &answer, err) : err_oom(err);
	return r < 0 ? r : read_json(answer, ret, err);
}

/* Version 2 of the protocol: each session begins with a token, which only a PUT is told. */
static int ask_instance(const struct errand *errand, struct s3_keys *ret, struct err *err)
{
	CLEANUP(str_freep) char *place = str_printf("%s" SESSION, errand->access->source_uri);
	CLEANUP(str_free_secretp) char *token = NULL;
	CLEANUP(str_free_secretp) char *header = NULL;
	struct backend_env impatient = *errand->env;
	struct errand mine = *errand;
	int r;

	if (!place)
		return err_oom(err);
	impatient.connect_ms = impatient.first_byte_ms = INSTANCE_MS;
	mine.env = &impatient;
	r = ask(&mine, "PUT", place, "X-aws-ec2-metadata-token-ttl-seconds: 300", &token, err);
	if (r < 0)
		return r;
	if (!*token || strpbrk(token, " \t\r\n"))
		return err_set(err, ERR_REMOTE, EBADMSG, "the answer is no token");
	header = str_printf("X-aws-ec2-metadata-token: %s", token);
	return header ? ask_role(&mine, header, ret, err) : err_oom(err);
}

/* ---- the token service: XML ---- */

#define RESULT "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/"

/* What it lends. */
struct loan {
	char *id;
	char *secret;
	char *token;
	char *expires;
};

static int on_text(const char *path, const char *text, void *arg, struct err *err)
{
	struct loan *loan = arg;
	char **place = NULL;

	if (str_equal(path, RESULT "AccessKeyId"))
		place = &loan->id;
	else if (str_equal(path, RESULT "SecretAccessKey"))
		place = &loan->secret;
	else if (str_equal(path, RESULT "SessionToken"))
		place = &loan->token;
	else if (str_equal(path, RESULT "Expiration"))
		place = &loan->expires;
	if (!place)
		return 0;
	str_free_secretp(place);
	*place = str_copy(text);
	return *place ? 0 : err_oom(err);
}

static int ask_service(const struct errand *errand, struct s3_keys *ret, struct err *err)
{
	CLEANUP(str_free_secretp) char *answer = NULL;
	CLEANUP(xml_freep) struct xml *xml = NULL;
	struct loan loan = {.id = NULL};
	int r = ask(errand, NULL, errand->access->source_uri, NULL, &answer, err);

	if (r == 0)
		r = xml_new(on_text, &loan, &xml, err);
	if (r == 0 && *answer)
		r = xml_feed(xml, answer, strlen(answer), err);
	if (r == 0)
		r = xml_feed(xml, "", 0, err);
	if (r == 0) {
		r = take(loan.id, loan.secret, loan.token, loan.expires, ret, err);
		loan.id = loan.secret = loan.token = NULL;
	}
	str_free_secretp(&loan.id);
	str_free_secretp(&loan.secret);
	str_free_secretp(&loan.token);
	str_free_secretp(&loan.expires);
	return r;
}

static int ask_source(const struct errand *errand, struct s3_keys *ret, struct err *err)
{
	switch (errand->access->source) {
	case S3_SOURCE_INSTANCE:
		return ask_instance(errand, ret, err);
	case S3_SOURCE_CONTAINER:
		return ask_container(errand, ret, err);
	case S3_SOURCE_WEB_IDENTITY:
		return ask_service(errand, ret, err);
	case S3_SOURCE_GIVEN:
	default:
		return err_set(err, ERR_USAGE, EINVAL, "nobody lends keys");
	}
}

int s3_lender_ask(const struct backend_env *env, const struct backend_request *request,
	const struct access_s3 *access, struct s3_keys *ret, bool *ret_gave_up, struct err *err)
{
	struct patience patience = {.until_ms = clock_monotonic_ms() + LEND_MS};
	const struct errand errand = {
		.env = env, .asked = request, .access = access, .patience = &patience};
	int r = ask_source(&errand, ret, err);

	*ret_gave_up = patience.gave_up;
	return r;
}
