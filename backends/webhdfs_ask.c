#include "backends/webhdfs_ask.h"

#include "backends/webhdfs_active.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MIN ((size_t)4 * 1024)  /* bytes; the first room */
#define STATUS_MAX ((size_t)64 * 1024) /* more than any answer about one file */
#define LIMIT_MS   60000               /* however slowly it drips */

static const struct access_hdfs nobody;

/* ---- one namenode after the other ---- */

static int ask_node(const struct webhdfs *webhdfs, const char *node,
	const struct webhdfs_operation *operation, struct sink *sink, bool *ret_go_on,
	struct err *err)
{
	CLEANUP(webhdfs_question_release) struct webhdfs_question question;
	int r = webhdfs_question_init(
		&question, node, webhdfs->request, webhdfs->access, operation, err);

	*ret_go_on = false;
	if (r < 0)
		return r;
	/* a small answer is always whole */
	if (operation->length == WEBHDFS_ANY_LENGTH) {
		question.request.offset = question.request.length = 0;
		question.request.known = NULL;
		question.request.own_connection = false;
	}
	r = http_fetch(webhdfs->env, &question.request, &question.dialect, sink, err);
	/* what went wrong behind a namenode goes wrong behind each */
	*ret_go_on = r < 0 && !question.redirected && !question.begun &&
		     (question.standby || err->kind == ERR_NETWORK || err->retry);
	return r;
}

int webhdfs_ask(const struct webhdfs *webhdfs, const struct webhdfs_operation *operation,
	struct sink *sink, struct err *err)
{
	const struct webhdfs_place *place = &webhdfs->place;
	struct webhdfs_active *active = webhdfs->env->webhdfs_active;
	size_t first = webhdfs_active_get(active, place->nodes, place->count);
	struct err why = ERR_INIT;
	bool go_on = true;
	int r = -EIO;

	for (size_t i = 0; go_on && i < place->count; i++) {
		const char *node = place->nodes[(first + i) % place->count];

		why = ERR_INIT;
		r = ask_node(webhdfs, node, operation, sink, &go_on, &why);
		if (!go_on && place->count > 1)
			webhdfs_active_note(active, node);
	}
	if (go_on && place->count > 1)
		err_context(&why, "none of %zu namenodes serves, the last one", place->count);
	if (r < 0 && err)
		*err = why;
	return r;
}

/* ---- small answers ---- */

struct answer {
	struct sink sink; /* first, so that it is the answer */
	const struct webhdfs *webhdfs;
	int64_t until; /* milliseconds on the monotonic clock */
	char *text;
	size_t max;
	size_t len;
	size_t room;
};

static void answer_release(struct answer *answer)
{
	free(answer->text);
}

static int check_time(const struct answer *answer, struct err *err)
{
	if (clock_monotonic_ms() < answer->until)
		return 0;
	return err_set(
		err, ERR_NETWORK, ETIMEDOUT, "an answer takes more than %d s", LIMIT_MS / 1000);
}

static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	((struct answer *)sink)->len = 0; /* one that was broken off does not count */
	(void)remote;
	(void)err;
	return 0;
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct answer *answer = (struct answer *)sink;
	size_t room = answer->room ? answer->room : ANSWER_MIN;

	if (len > answer->max - answer->len)
		return err_set(err, ERR_REMOTE, EFBIG, "an answer of more than %zu KiB",
			answer->max / 1024);
	while (room < answer->len + len)
		room *= 2;
	if (room > answer->room) {
		char *bigger = realloc(answer->text, room);

		if (!bigger)
			return err_oom(err);
		answer->text = bigger;
		answer->room = room;
	}
	memcpy(answer->text + answer->len, buf, len);
	answer->len += len;
	return check_time(answer, err);
}

static int on_poll(struct sink *sink, struct err *err)
{
	const struct answer *answer = (struct answer *)sink;
	const struct backend_request *request = answer->webhdfs->request;
	struct sink *waiting = answer->webhdfs->sink;
	int r = 0;

	if (waiting) {
		waiting->queued = sink->queued;
		r = waiting->poll(waiting, err);
	} else if (request->poll) {
		r = request->poll(request->poll_arg, err);
	}
	return r < 0 ? r : check_time(answer, err);
}

void webhdfs_json_freep(json_t **json)
{
	json_decref(*json);
}

int webhdfs_ask_json(
	const struct webhdfs *webhdfs, const char *query, size_t max, json_t **ret, struct err *err)
{
	CLEANUP(answer_release)
	struct answer answer = {
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll},
		.webhdfs = webhdfs,
		.until = clock_monotonic_ms() + LIMIT_MS,
		.max = max,
	};
	const struct webhdfs_operation operation = {
		.path = webhdfs->path,
		.query = query,
		.length = WEBHDFS_ANY_LENGTH,
	};
	int r = webhdfs_ask(webhdfs, &operation, &answer.sink, err);

	if (r < 0)
		return r;
	*ret = json_loadb(answer.text ? answer.text : "", answer.len, 0, NULL);
	return *ret ? 0 : err_set(err, ERR_REMOTE, EBADMSG, "what answers is no WebHDFS");
}

/* A number that is not negative; -1: there is none. */
static int64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) >= 0
		       ? (int64_t)json_integer_value(value)
		       : -1;
}

int webhdfs_read_status(const json_t *json, struct webhdfs_status *ret, struct err *err)
{
	const char *type = json_string_value(json_object_get(json, "type"));
	int64_t file_id = number(json, "fileId");
	struct webhdfs_status status = {
		.length = number(json, "length"),
		.modified_ms = number(json, "modificationTime"),
		.file_id = file_id > 0 ? file_id : 0,
		.is_folder = type && str_equal(type, "DIRECTORY"),
	};

	if (!type || status.length < 0 || status.modified_ms < 0)
		return err_set(err, ERR_REMOTE, EBADMSG, "what answers is no WebHDFS");
	*ret = status;
	return 0;
}

int webhdfs_ask_status(const struct webhdfs *webhdfs, struct webhdfs_status *ret, struct err *err)
{
	CLEANUP(webhdfs_json_freep) json_t *json = NULL;
	int r = webhdfs_ask_json(webhdfs, "op=GETFILESTATUS", STATUS_MAX, &json, err);

	return r < 0 ? r : webhdfs_read_status(json_object_get(json, "FileStatus"), ret, err);
}

/* ---- the file ---- */

/* By other names for the same file nobody shall come around the section or the rule of its own. */
static int check_detour(const char *path, struct err *err)
{
	if (strstr(path, "//"))
		return err_set(err, ERR_USAGE, EINVAL, "no name in HDFS is empty: \"//\"");
	if (str_has_prefix(path, "/.reserved") || strstr(path, "/.snapshot/"))
		return err_set(err, ERR_POLICY, EACCES,
			"below /.reserved and .snapshot files have second names, for which no "
			"policy can be said");
	return 0;
}

static int check_uri(const struct uri *uri, struct err *err)
{
	if (uri->query)
		return err_set(err, ERR_USAGE, EINVAL,
			"the URI of a file in Hadoop has no query: '?' in a name is %%3F");
	if (uri->password)
		return err_set(
			err, ERR_USAGE, EINVAL, "the URI of a file in Hadoop has no password");
	if (strstr(uri->path, "%00"))
		return err_set(err, ERR_USAGE, EINVAL, "no name can hold %%00");
	return check_detour(uri->path, err);
}

int webhdfs_init(struct webhdfs *webhdfs, const struct backend_env *env,
	const struct backend_request *request, struct sink *sink, struct err *err)
{
	const struct uri *uri = request->uri;
	const struct access *given = request->access;
	const struct access_hdfs *access =
		given && given->hdfs && uri_is_below(given->prefix, uri->text) ? given->hdfs
									       : &nobody;
	int r;

	*webhdfs = (struct webhdfs){.env = env, .request = request, .access = access, .sink = sink};
	r = request->guard ? request->guard->uri(request->guard, uri, err) : 0;
	if (r == 0)
		r = check_uri(uri, err);
	if (r < 0)
		return r;
	webhdfs->path = webhdfs_question_path(uri->path);
	if (!webhdfs->path)
		return err_oom(err);
	return webhdfs_place_init(&webhdfs->place, uri, access, err);
}

void webhdfs_release(struct webhdfs *webhdfs)
{
	webhdfs_place_release(&webhdfs->place);
	free(webhdfs->path);
}
