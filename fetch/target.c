#include "fetch/target.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_expected(
	const struct fetchfs_request *request, struct target *target, struct err *err)
{
	const struct checksum *fragment = &target->uri.expected;
	struct checksum given = {.kind = CHECKSUM_NONE};
	int r = request->digest ? checksum_parse(request->digest, &given, err) : 0;

	if (r < 0)
		return r;
	if (given.kind != CHECKSUM_NONE && given.kind == fragment->kind &&
		!checksum_equal(&given, fragment))
		return err_set(err, ERR_USAGE, EINVAL, "another %s than in the URI's fragment",
			checksum_kind_name(given.kind));
	target->expected = given.kind >= fragment->kind ? given : *fragment;
	target->has_expected = target->expected.kind != CHECKSUM_NONE;
	return 0;
}

static bool is_local(const struct target *target)
{
	return str_equal(target->uri.scheme, "file");
}

int target_check_remote(const struct target *target, const struct remote *remote, struct err *err)
{
	bool is_public = target->decision.scope[0] == '\0';

	if (!is_local(target) || remote->world_readable)
		return 0;
	/* it was readable when the scope was decided: whoever changed that gets no public copy */
	if ((target->decision.trusted || target->decision.as_user) && !is_public)
		return 0;
	return err_set(err, ERR_POLICY, EACCES, "not everybody on this machine may read it");
}

const struct user *target_user(const struct target *target)
{
	return target->decision.as_user && is_local(target) ? &target->user : NULL;
}

uid_t target_share(const struct target *target, const struct fetchfs *fetchfs)
{
	return target->uid == fetchfs->owner ? 0 : target->uid;
}

/*
 * Where a local file is, for struct looks: below which prefix of the policy. What is allowed as a
 * whole is told apart by its first folder.
 */
static int place_of(const struct target *target, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int r = uri_file_path(&target->uri, &path, err);
	const char *root = target->decision.root;
	size_t len;

	if (r < 0)
		return r;
	len = root && root[1] ? strlen(root) : 1 + strcspn(path + 1, "/");
	path[len] = '\0';
	*ret = str_steal(&path);
	return 0;
}

/*
 * Whether it is there: 1, and what it is; or 0. -errno: it cannot be told. Who comes by a mount
 * takes a thread that others need; who has a process of his own may wait in it as he likes.
 */
static int look(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	const struct target *target, struct remote *ret, struct err *err)
{
	const struct backend_request question = {
		.uri = &target->uri,
		.guard = &target->decision.guard,
		.user = target_user(target),
	};
	CLEANUP(str_freep) char *place = NULL;
	struct err why = ERR_INIT;
	struct look look;
	bool is_there;
	int r;

	if (!request->through_mount)
		return target->backend->stat(fetchfs->env, &question, ret, NULL) == 0;
	r = place_of(target, &place, err);
	if (r < 0)
		return r;
	r = looks_begin(&fetchfs->looks, &look, place, &why);
	if (r < 0) {
		refusals_note(fetchfs, request, &why);
		if (err)
			*err = why;
		return r;
	}
	is_there = target->backend->stat(fetchfs->env, &question, ret, NULL) == 0;
	looks_end(&fetchfs->looks, &look);
	return is_there;
}

/*
 * A local file that not everybody may read stays private to whom it was fetched for. The only
 * scope that cannot be decided by the URI; it costs a stat() of this machine, no network.
 */
static int narrow_local_scope(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct target *target, struct err *err)
{
	struct remote remote = {.world_readable = false};
	int r;

	if (!is_local(target) || target->decision.scope[0] != '\0')
		return 0;
	r = look(fetchfs, request, target, &remote, err);
	if (r < 0)
		return r;
	if (!remote.world_readable)
		policy_user_scope(target->uid, target->decision.scope);
	return r > 0 ? target_check_remote(target, &remote, err) : 0;
}

static int fill(struct fetchfs *fetchfs, const struct fetchfs_request *request, struct target *ret,
	struct err *err)
{
	int r = uri_of_text(request->uri, &ret->uri, err);

	if (r < 0)
		return r;
	r = read_expected(request, ret, err);
	if (r < 0)
		return r;

	ret->uid = request->uid;
	ret->executable = request->executable;
	ret->plain = request->plain;
	ret->refresh = request->refresh;
	ret->backend = registry_find(fetchfs->backends, ret->uri.scheme, err);
	if (!ret->backend)
		return -EPROTONOSUPPORT;

	r = policy_decide(&fetchfs->config, &ret->uri, request->uid, fetchfs->owner,
		request->through_mount, fetchfs->dir.secret, &ret->decision, err);
	if (r < 0)
		return r;
	if (ret->decision.as_user && is_local(ret))
		r = user_of_uid(ret->uid, &ret->user, err);
	if (r == 0)
		r = narrow_local_scope(fetchfs, request, ret, err);
	if (r < 0)
		return r;

	ret->shown = ret->decision.secret_query ? uri_display(&ret->uri) : str_copy(ret->uri.text);
	if (!ret->shown)
		return err_oom(err);
	return entry_key_make(ret->decision.scope, ret->uri.text, &ret->key, err);
}

int target_new(struct fetchfs *fetchfs, const struct fetchfs_request *request, struct target **ret,
	struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = calloc(1, sizeof(*target));
	int r;

	if (!target)
		return err_oom(err);
	atomic_init(&target->refs, 1);
	r = fill(fetchfs, request, target, err);
	if (r < 0)
		return r;
	*ret = target_steal(&target);
	return 0;
}

struct target *target_ref(struct target *target)
{
	atomic_fetch_add(&target->refs, 1);
	return target;
}

void target_unref(struct target *target)
{
	if (!target || atomic_fetch_sub(&target->refs, 1) > 1)
		return;
	uri_release(&target->uri);
	user_release(&target->user);
	free(target->shown);
	free(target);
}

void target_unrefp(struct target **target)
{
	target_unref(*target);
	*target = NULL;
}

struct target *target_steal(struct target **target)
{
	struct target *given = *target;

	*target = NULL;
	return given;
}

bool target_is_listed(const struct target *target)
{
	const char *query = target->uri.query;

	return !target->decision.secret_query && !(query && strchr(query, '/'));
}
