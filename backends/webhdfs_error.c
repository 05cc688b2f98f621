#include "backends/webhdfs_error.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define NAME_SIZE 80
#define LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$"

/* How Hadoop calls what is wrong, and what that is to us. */
static const struct {
	const char *name;
	int error;
	bool retry;
	const char *reason;
} meanings[] = {
	{"AccessControlException", EACCES, false, "permission denied"},
	{"AuthenticationException", EACCES, false, "who asks is not known there"},
	{"AuthorizationException", EACCES, false, "permission denied"},
	{"BlockMissingException", EIO, true, "a block is missing"},
	{"FileNotFoundException", ENOENT, false, "no such file"},
	{"IllegalArgumentException", EINVAL, false, "bad request"},
	{"InvalidPathException", ENOENT, false, "no file can have this name"},
	{"InvalidToken", EACCES, false, "the delegation token is wrong or has expired"},
	{"ParentNotDirectoryException", ENOENT, false, "no such file"},
	{"RetriableException", EIO, true, "the namenode is not ready"},
	{"SafeModeException", EIO, true, "the namenode is in safe mode"},
	{"SecurityException", EACCES, false,
		"who asks is not known there, or the delegation token is wrong"},
	{"StandbyException", EIO, true, "the namenode is on standby"},
	{"UnsupportedOperationException", EOPNOTSUPP, false, "not supported"},
};

static void json_freep(json_t **json)
{
	json_decref(*json);
}

/* The exception's name, without what its class is in: "SecretManager$InvalidToken". */
static bool read_name(const char *body, char ret[NAME_SIZE])
{
	CLEANUP(json_freep)
	json_t *answer = json_loads(body, JSON_DISABLE_EOF_CHECK, NULL);
	const char *name = json_string_value(
		json_object_get(json_object_get(answer, "RemoteException"), "exception"));
	const char *inner;

	if (!name || !*name || name[strspn(name, LETTERS)])
		return false;
	inner = strrchr(name, '$');
	return str_fit(ret, NAME_SIZE, inner ? inner + 1 : name);
}

/* Without a word of Hadoop's. */
static int without_name(long status, struct err *err)
{
	if (status == 401)
		return err_set(err, ERR_REMOTE, EACCES,
			"401 unauthorized: this cluster wants a delegation token");
	return -err->code;
}

int webhdfs_error(long status, const char *body, bool *ret_standby, struct err *err)
{
	char name[NAME_SIZE];

	*ret_standby = false;
	if (!read_name(body, name))
		return without_name(status, err);
	*ret_standby = str_equal(name, "StandbyException");
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (!str_equal(name, meanings[i].name))
			continue;
		if (meanings[i].retry)
			return err_set_retry(err, ERR_REMOTE, meanings[i].error, err->retry_after,
				"%ld %s (%s)", status, meanings[i].reason, name);
		return err_set(err, ERR_REMOTE, meanings[i].error, "%ld %s (%s)", status,
			meanings[i].reason, name);
	}
	/* an IOException is sent with a status of 403, and forbids nothing */
	if (str_has_suffix(name, "IOException"))
		return err_set_retry(err, ERR_REMOTE, EIO, err->retry_after,
			"%ld the cluster failed (%s)", status, name);
	if (err->retry)
		return err_set_retry(err, ERR_REMOTE, err->code, err->retry_after,
			"%ld refused (%s)", status, name);
	return err_set(err, ERR_REMOTE, err->code, "%ld refused (%s)", status, name);
}
