/*
 * A dry run: what would be placed, and what would have to be fetched for it. It takes the steps of
 * the others as far as they need nothing but the cache and the directory.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/prepare_private.h"

#include <errno.h>
#include <string.h>

/* What it is to be. False: nobody knows before it is fetched. */
static int learn(struct prepare *prepare, size_t i, const struct fetchfs_info *info,
	struct content *ret, struct err *err)
{
	*ret = (struct content){.lazy = false};
	memcpy(ret->key, info->key, sizeof(ret->key));
	if (prepare_is_lazy(prepare, i)) {
		prepare_learn_lazy(prepare, i, ret);
		return true;
	}
	if (info->state == FETCHFS_COMPLETE)
		memcpy(ret->sha256, info->sha256, sizeof(ret->sha256));
	else if (prepare_learn_expected(prepare, i, ret->sha256, err) < 0)
		return -err->code;
	return *ret->sha256 != '\0';
}

/* An earlier call may have placed it, by a method of its own; or what has become something else. */
static int look_there(
	struct prepare *prepare, size_t i, const struct content *content, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	const struct piece piece = {
		.kind = content->lazy   ? PIECE_LAZY
			: item->extract ? PIECE_ANY
					: PIECE_FILE,
		.name = item->name,
	};
	const struct fetchfs_lease *lease = NULL;
	CLEANUP(fd_closep) int parent = -1;
	CLEANUP(str_freep) char *method = NULL;
	int r = folder_parent(&prepare->folder, item->name, &parent, err);

	if (r == -ENOENT) {
		*err = ERR_INIT;
		return 0;
	}
	if (r == 0)
		r = prepare_check_there(prepare, parent, &piece, content, &lease, err);
	if (r <= 0)
		return r;
	method = leases_method(lease);
	return method ? plan_method_parse(method, &prepare->results[i].method, err) : err_oom(err);
}

static void tell(struct prepare *prepare, size_t i, const struct fetchfs_info *info)
{
	struct prepared *result = &prepare->results[i];
	enum plan_method methods[METHODS_MAX];

	(void)methods_of(&prepare->methods, &prepare->plan->items[i], info->is_public, methods);
	result->method = result->lazy ? PLAN_BIND : methods[0];
	result->state = info->state;
	result->extracted = prepare->plan->items[i].extract;
	result->is_size_known = info->size >= 0;
	result->size = info->size >= 0 ? (uint64_t)info->size : 0;
	memcpy(result->sha256, info->sha256, sizeof(result->sha256));
}

static int look_at(struct prepare *prepare, size_t i, struct err *err)
{
	const struct fetchfs_request request = prepare_request(prepare, i);
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct content content;
	int r = fetchfs_foresee(prepare->fetchfs, &request, &info, err);
	int known;

	if (r < 0)
		return r;
	known = learn(prepare, i, &info, &content, err);
	if (known < 0)
		return known;
	tell(prepare, i, &info);
	if (!known || plan_is_open(&prepare->plan->items[i]))
		return 0;
	return look_there(prepare, i, &content, err);
}

int prepare_look(struct prepare *prepare, struct err *err)
{
	int r;

	prepare_find_digests(prepare);
	r = prepare_find_lazy(prepare, err);
	for (size_t i = 0; i < prepare->plan->count && r == 0; i++) {
		struct err why = ERR_INIT;

		if (!prepare->results[i].err.code && look_at(prepare, i, &why) < 0)
			prepare_fail(prepare, i, &why);
	}
	return r;
}
