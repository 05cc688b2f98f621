#include "backends/s3_error.h"

#include "backends/xml.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

struct answer {
	char code[64];
	char message[256];
};

/* How S3 calls what is wrong, and what that is to us. */
static const struct {
	const char *code;
	int error;
	bool retry;
	const char *reason; /* NULL: what the server says */
} meanings[] = {
	{"AccessDenied", EACCES, false, NULL},
	{"AccountProblem", EACCES, false, NULL},
	{"AllAccessDisabled", EACCES, false, NULL},
	{"AuthorizationHeaderMalformed", EINVAL, false, NULL},
	{"ExpiredToken", EACCES, false, "the session token has expired"},
	{"InternalError", EIO, true, "internal error"},
	{"InvalidAccessKeyId", EACCES, false, "there is no such access key"},
	{"InvalidBucketName", EINVAL, false, "no name of a bucket"},
	{"InvalidObjectState", EACCES, false, "it is archived, and must be restored first"},
	{"InvalidToken", EACCES, false, "the session token is wrong"},
	{"KeyTooLongError", ENAMETOOLONG, false, "the key is too long"},
	{"MethodNotAllowed", ENOENT, false, "this version is a mark that it was deleted"},
	{"NoSuchBucket", ENOENT, false, "no such bucket"},
	{"NoSuchKey", ENOENT, false, "no such key"},
	{"NoSuchVersion", ENOENT, false, "no such version"},
	{"RequestTimeTooSkewed", EACCES, false, "the clock of this machine is wrong"},
	{"RequestTimeout", ETIMEDOUT, true, "the request took too long"},
	{"SignatureDoesNotMatch", EACCES, false, "the secret key is wrong"},
	{"SlowDown", EIO, true, "too many requests"},
	{"TokenRefreshRequired", EACCES, false, "the session token must be renewed"},
};

static int on_text(const char *path, const char *text, void *arg, struct err *err)
{
	struct answer *answer = arg;

	(void)err;
	if (str_equal(path, "Error/Code"))
		str_fit(answer->code, sizeof(answer->code), text);
	else if (str_equal(path, "Error/Message"))
		str_cut(answer->message, sizeof(answer->message), text);
	return 0;
}

/* A name, as a code is one. */
static bool is_word(const char *text)
{
	return *text && !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					   "0123456789._-")];
}

/* What of the body can be understood, however it ends. */
static void read_answer(const char *body, const char *const *secrets, struct answer *ret)
{
	CLEANUP(xml_freep) struct xml *xml = NULL;

	*ret = (struct answer){.code = ""};
	if (!*body || xml_new(on_text, ret, &xml, NULL) < 0)
		return;
	xml_feed(xml, body, strlen(body), NULL);
	if (!is_word(ret->code))
		ret->code[0] = '\0';
	for (; *secrets; secrets++)
		if (**secrets && strstr(ret->message, *secrets))
			ret->message[0] = '\0';
	str_make_plain(ret->message);
}

int s3_error(long status, const char *body, const char *const *secrets, struct err *err)
{
	struct answer answer;
	const char *reason = answer.message;

	read_answer(body, secrets, &answer);
	if (!answer.code[0])
		return -err->code;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (!str_equal(answer.code, meanings[i].code))
			continue;
		if (meanings[i].reason)
			reason = meanings[i].reason;
		err->code = meanings[i].error;
		err->retry = meanings[i].retry;
	}
	if (!reason[0])
		reason = "refused";
	if (err->retry)
		return err_set_retry(err, ERR_REMOTE, err->code, err->retry_after, "%ld %s (%s)",
			status, reason, answer.code);
	return err_set(err, ERR_REMOTE, err->code, "%ld %s (%s)", status, reason, answer.code);
}
