#include "backends/oci_error.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define CODE_SIZE 80
#define LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"

static const struct {
	const char *code;
	int error;
	bool retry;
	const char *reason;
} meanings[] = {
	{"BLOB_UNKNOWN", ENOENT, false, "no such blob"},
	{"DENIED", EACCES, false, "permission denied"},
	{"DIGEST_INVALID", EBADMSG, false, "the registry does not take the digest"},
	{"MANIFEST_BLOB_UNKNOWN", ENOENT, false, "a blob of the manifest is not there"},
	{"MANIFEST_INVALID", EBADMSG, false, "the manifest makes no sense to the registry"},
	{"MANIFEST_UNKNOWN", ENOENT, false, "no such tag or manifest"},
	{"NAME_INVALID", ENOENT, false, "no repository can be called so"},
	{"NAME_UNKNOWN", ENOENT, false, "no such repository"},
	{"NOT_FOUND", ENOENT, false, "not found"},
	{"TAG_INVALID", ENOENT, false, "no tag can be called so"},
	{"TOOMANYREQUESTS", EIO, true, "too many requests"},
	{"UNAUTHORIZED", EACCES, false, "unauthorized"},
	{"UNAVAILABLE", EIO, true, "the registry is not available"},
};

static void json_freep(json_t **json)
{
	json_decref(*json);
}

/* {"errors": [{"code": "…"}]}: the first one's. */
static bool read_code(const char *body, char ret[CODE_SIZE])
{
	CLEANUP(json_freep) json_t *answer = json_loads(body, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *errors = json_object_get(answer, "errors");
	const char *code = json_string_value(json_object_get(json_array_get(errors, 0), "code"));

	return code && *code && !code[strspn(code, LETTERS)] && str_fit(ret, CODE_SIZE, code);
}

/* A code that the status contradicts does not make what may pass final, or the other way round. */
int oci_error(long status, const char *body, struct err *err)
{
	unsigned int after = err->retry_after;
	char code[CODE_SIZE];

	if (!read_code(body, code))
		return -err->code;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (!str_equal(code, meanings[i].code))
			continue;
		if (meanings[i].retry || err->retry)
			return err_set_retry(err, ERR_REMOTE,
				meanings[i].retry ? meanings[i].error : err->code, after,
				"%ld %s (%s)", status, meanings[i].reason, code);
		return err_set(err, ERR_REMOTE, meanings[i].error, "%ld %s (%s)", status,
			meanings[i].reason, code);
	}
	if (err->retry)
		return err_set_retry(
			err, ERR_REMOTE, err->code, after, "%ld refused (%s)", status, code);
	return err_set(err, ERR_REMOTE, err->code, "%ld refused (%s)", status, code);
}
