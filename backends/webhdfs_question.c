#include "backends/webhdfs_question.h"

#include "backends/webhdfs_error.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *webhdfs_question_path(const char *path)
{
	char *ret = uri_escape(path, "/%");
	size_t len = ret ? strlen(ret) : 0;

	if (len > 1 && ret[len - 1] == '/')
		ret[len - 1] = '\0';
	return ret;
}

/* ---- the dialect ---- */

/* No line of its own; but here it is told who is asked. */
static int headers(struct http_dialect *dialect, const struct uri *at, bool head,
	char *ret[HTTP_DIALECT_HEADERS], struct err *err)
{
	struct webhdfs_question *question = (struct webhdfs_question *)dialect;

	(void)head;
	(void)ret;
	(void)err;
	question->redirected = at != &question->uri;
	return 0;
}

/* The datanode has opened the file, and counted. */
static int judge(struct http_dialect *dialect, const struct transfer *transfer, struct remote *ret,
	int64_t *ret_promised, struct err *err)
{
	struct webhdfs_question *question = (struct webhdfs_question *)dialect;
	const struct webhdfs_operation *operation = question->operation;
	int64_t length = transfer_length(transfer);

	if (length >= 0 && length != operation->length)
		return err_set_retry(err, ERR_REMOTE, ESTALE, 0,
			"the file has changed: %" PRId64 " bytes come instead of %" PRId64, length,
			operation->length);
	*ret = *operation->remote;
	*ret_promised = operation->length;
	question->begun = true;
	return 0;
}

static int refused(struct http_dialect *dialect, long status, const char *body, struct err *err)
{
	struct webhdfs_question *question = (struct webhdfs_question *)dialect;

	return webhdfs_error(status, body, &question->standby, err);
}

/* ---- the question ---- */

/* "&name=value" that tells who asks; "" if nobody is to be named. */
static char *who(const struct uri *uri, const struct access_hdfs *access)
{
	const char *user = uri->user ? uri->user : access->user;
	bool has_token = access->token && !uri->user;
	const char *value = has_token ? access->token : user;
	CLEANUP(str_freep) char *escaped = NULL;
	char *ret;

	if (!value)
		return str_copy("");
	escaped = uri_escape(value, "");
	if (!escaped)
		return NULL;
	ret = str_printf("&%s=%s", has_token ? "delegation" : "user.name", escaped);
	explicit_bzero(escaped, strlen(escaped));
	return ret;
}

int webhdfs_question_init(struct webhdfs_question *question, const char *node,
	const struct backend_request *asked, const struct access_hdfs *access,
	const struct webhdfs_operation *operation, struct err *err)
{
	CLEANUP(str_freep) char *asking = who(asked->uri, access);
	CLEANUP(str_freep) char *text = NULL;
	int r;

	*question = (struct webhdfs_question){
		.dialect = {.headers = headers, .refused = refused},
		.operation = operation,
		.request = *asked,
	};
	if (operation->length != WEBHDFS_ANY_LENGTH)
		question->dialect.judge = judge;
	if (asking)
		text = str_printf(
			"%swebhdfs/v1%s?%s%s", node, operation->path, operation->query, asking);
	r = text ? uri_parse(text, &question->uri, err) : err_oom(err);
	if (text)
		explicit_bzero(text, strlen(text));
	if (asking)
		explicit_bzero(asking, strlen(asking));
	question->request.uri = &question->uri;
	question->request.access = NULL;
	question->request.poll = NULL; /* the sink is */
	return r;
}

void webhdfs_question_release(struct webhdfs_question *question)
{
	if (question->uri.text)
		explicit_bzero(question->uri.text, strlen(question->uri.text));
	if (question->uri.query)
		explicit_bzero(question->uri.query, strlen(question->uri.query));
	uri_release(&question->uri);
}
