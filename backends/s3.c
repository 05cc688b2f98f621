/*
 * s3: objects in buckets of Amazon S3, and of what speaks as it does, over HTTP.
 */
#include "backends/builtin.h"

#include "backends/s3_list.h"
#include "backends/s3_question.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

/* The first answer to a request, and nothing of its body. */
struct glance {
	struct sink sink; /* first, so that it is the glance */
	const struct backend_request *request;
	struct remote remote;
};

static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct glance *glance = (struct glance *)sink;

	(void)err;
	glance->remote = *remote;
	return 0;
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	(void)sink;
	(void)buf;
	(void)len;
	(void)err;
	return 0;
}

static int on_poll(struct sink *sink, struct err *err)
{
	const struct backend_request *request = ((struct glance *)sink)->request;

	return request->poll ? request->poll(request->poll_arg, err) : 0;
}

/* HEAD is refused without a word: GET of one byte is told why. */
static int stat_by_get(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(s3_question_release) struct s3_question question;
	struct glance glance = {
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll},
		.request = request,
	};
	int r = s3_question_init(&question, env, request, NULL, true, err);

	if (r < 0)
		return r;
	question.request.length = 1;
	question.request.known = NULL;
	r = http_fetch(env, &question.request, &question.dialect, &glance.sink, err);
	if (r == 0)
		*ret = glance.remote;
	return r;
}

/* What is no object may yet have some below it, where that may be asked. */
static bool may_be_folder(const struct backend_request *request)
{
	const struct access *access = request->access;

	return access && access->s3 && access->s3->folders && !request->uri->query;
}

static int s3_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(s3_question_release) struct s3_question question;
	struct err why = ERR_INIT;
	int r = s3_question_init(&question, env, request, NULL, true, err);

	if (r < 0)
		return r;
	r = http_stat(env, &question.request, &question.dialect, ret, &why);
	if (r == -ENOENT && may_be_folder(request) && s3_list_is_folder(env, request, NULL) == 1)
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	if ((r == -EACCES || r == -EINVAL) && why.kind == ERR_REMOTE)
		return stat_by_get(env, request, ret, err);
	if (r < 0 && err)
		*err = why;
	return r;
}

static int poll_sink(void *arg, struct err *err)
{
	struct sink *sink = arg;

	return sink->poll(sink, err);
}

static int s3_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(s3_question_release) struct s3_question question;
	struct backend_request waiting = *request; /* for keys */
	int r;

	waiting.poll = poll_sink;
	waiting.poll_arg = sink;
	r = s3_question_init(&question, env, &waiting, NULL, true, err);
	question.request.poll = request->poll;
	question.request.poll_arg = request->poll_arg;
	return r < 0 ? r : http_fetch(env, &question.request, &question.dialect, sink, err);
}

struct backend_call {
	struct s3_question question;
	struct http_call *http;
};

static void call_freep(struct backend_call **call)
{
	if (*call)
		s3_question_release(&(*call)->question);
	free(*call);
}

static int s3_begin(const struct backend_env *env, const struct backend_request *request,
	struct backend_call **ret, struct err *err)
{
	CLEANUP(call_freep) struct backend_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return err_oom(err);
	r = s3_question_init(&call->question, env, request, NULL, false, err);
	if (r < 0)
		return r;
	/* who is told that it is ready may be quicker than we are */
	*ret = call;
	r = http_begin(env, &call->question.request, &call->question.dialect, &call->http, err);
	if (r == 0)
		call = NULL;
	return r;
}

static int s3_finish(struct backend_call *call, struct sink *sink, struct err *err)
{
	CLEANUP(call_freep) struct backend_call *mine = call;

	return http_finish(mine->http, sink, err);
}

static const char *const schemes[] = {"s3", NULL};

const struct backend s3_backend = {
	.name = "s3",
	.schemes = schemes,
	.cheap_parts = true,
	.stat = s3_stat,
	.fetch = s3_fetch,
	.list = s3_list,
	.begin = s3_begin,
	.finish = s3_finish,
};
