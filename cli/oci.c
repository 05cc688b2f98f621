#include "cli/oci.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_USUAL "rootfs"

static void decref(json_t **json)
{
	json_decref(*json);
}

void oci_release(struct oci *oci)
{
	free(oci->bundle);
	free(oci->status);
	free(oci->uris);
	free(oci->directory);
	free(oci->method);
	free(oci->user);
	free(oci->root);
	*oci = (struct oci){0};
}

static int parse(const char *what, const char *text, size_t len, json_t **ret, struct err *err)
{
	json_error_t why;

	*ret = json_loadb(text, len, 0, &why);
	if (!*ret)
		return err_set(err, ERR_USAGE, EINVAL, "%s: line %d: %s", what, why.line, why.text);
	if (!json_is_object(*ret))
		return err_set(err, ERR_USAGE, EINVAL, "%s: not an object", what);
	return 0;
}

/* Into *ret, unless there is something already. */
static int get_string(const json_t *object, const char *field, char **ret, struct err *err)
{
	const json_t *value = json_object_get(object, field);

	if (*ret || !value)
		return 0;
	if (!json_is_string(value))
		return err_set(err, ERR_USAGE, EINVAL, "%s: must be a string", field);
	*ret = str_copy(json_string_value(value));
	return *ret ? 0 : err_oom(err);
}

static int get_annotations(const json_t *object, struct oci *oci, struct err *err)
{
	const json_t *annotations = json_object_get(object, "annotations");
	int r = get_string(annotations, "fetchfs.uris", &oci->uris, err);

	if (r == 0)
		r = get_string(annotations, "fetchfs.directory", &oci->directory, err);
	if (r == 0)
		r = get_string(annotations, "fetchfs.method", &oci->method, err);
	if (r == 0)
		r = get_string(annotations, "fetchfs.user", &oci->user, err);
	return r;
}

int oci_read_state(const char *text, size_t len, struct oci *ret, struct err *err)
{
	CLEANUP(decref) json_t *state = NULL;
	const json_t *pid;
	int r;

	*ret = (struct oci){0};
	r = parse("state", text, len, &state, err);
	if (r == 0)
		r = get_string(state, "bundle", &ret->bundle, err);
	if (r == 0)
		r = get_string(state, "status", &ret->status, err);
	if (r == 0)
		r = get_annotations(state, ret, err);
	if (r < 0)
		return r;
	if (!ret->bundle || *ret->bundle != '/')
		return err_set(err, ERR_USAGE, EINVAL, "state: bundle: must be an absolute path");
	pid = json_object_get(state, "pid");
	ret->pid = json_is_integer(pid) ? json_integer_value(pid) : 0;
	return 0;
}

/* @path, beside config.json unless it is absolute; by its real name while it has one. */
static int find_root(struct oci *oci, const char *path, struct err *err)
{
	CLEANUP(str_freep)
	char *whole = *path == '/' ? str_copy(path) : str_printf("%s/%s", oci->bundle, path);

	if (!whole)
		return err_oom(err);
	oci->root = realpath(whole, NULL);
	if (!oci->root)
		oci->root = str_steal(&whole);
	return 0;
}

static bool has_user_space(const json_t *config)
{
	const json_t *spaces = json_object_get(json_object_get(config, "linux"), "namespaces");

	for (size_t i = 0; i < json_array_size(spaces); i++) {
		const json_t *type = json_object_get(json_array_get(spaces, i), "type");

		if (str_equal(json_string_value(type), "user"))
			return true;
	}
	return false;
}

/* A program with the set-user-ID bit gets what is in the bounding set. */
static bool has_sys_admin(const json_t *config)
{
	const json_t *bounding = json_object_get(
		json_object_get(json_object_get(config, "process"), "capabilities"), "bounding");

	for (size_t i = 0; i < json_array_size(bounding); i++)
		if (str_equal(json_string_value(json_array_get(bounding, i)), "CAP_SYS_ADMIN"))
			return true;
	return false;
}

static int read_config(struct oci *oci, const json_t *config, struct err *err)
{
	const json_t *user = json_object_get(json_object_get(config, "process"), "user");
	const json_t *uid = json_object_get(user, "uid");
	CLEANUP(str_freep) char *path = NULL;
	int r = get_annotations(config, oci, err);

	if (r == 0)
		r = get_string(json_object_get(config, "root"), "path", &path, err);
	if (r == 0 && !path)
		r = err_set(err, ERR_USAGE, EINVAL, "root: path: is missing");
	if (r == 0)
		r = find_root(oci, path, err);
	if (r < 0)
		return r;
	if (uid && (!json_is_integer(uid) || json_integer_value(uid) < 0 ||
			   json_integer_value(uid) >= UINT32_MAX))
		return err_set(err, ERR_USAGE, EINVAL, "process: user: uid: is none");
	oci->uid = (uid_t)json_integer_value(uid);
	oci->sys_admin = has_sys_admin(config);
	oci->user_space = has_user_space(config);
	return 0;
}

int oci_read_bundle(struct oci *oci, struct err *err)
{
	CLEANUP(decref) json_t *config = NULL;
	CLEANUP(str_freep) char *path = str_printf("%s/config.json", oci->bundle);
	CLEANUP(str_freep) char *text = NULL;
	size_t len = 0;
	int r;

	if (!path)
		return err_oom(err);
	r = fd_read_file(AT_FDCWD, path, OCI_TEXT_MAX, &text, &len);
	if (r == -ENOENT && find_root(oci, ROOT_USUAL, err) < 0)
		return -err->code;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "read %s: %m", path);
	r = parse(path, text, len, &config, err);
	if (r == 0 && read_config(oci, config, err) < 0)
		r = err_context(err, "%s", path);
	return r;
}
