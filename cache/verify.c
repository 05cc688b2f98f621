#include "cache/verify.h"

#include "base/cleanup.h"
#include "cache/store_private.h"

#include <errno.h>

#define WHY_MISSING "missing"

void verify_release(struct verified *verified)
{
	for (size_t i = 0; i < verified->count; i++)
		entry_release(&verified->entries[i]);
	verified->count = 0;
}

/* What it stands for is known only as long as it is there. */
static int remove_wrong(const struct store *store, const struct object *object,
	enum verdict verdict, struct verified *ret, struct err *err)
{
	int r = catalog_entries_of(
		store->catalog, &object->digest, VERIFIED_NAMES, ret->entries, &ret->count, err);

	if (r == 0)
		r = store_let_go(store, object,
			verdict == VERDICT_MISSING ? WHY_MISSING : STORE_DAMAGED, err);
	if (r > 0)
		verify_release(ret);
	ret->verdict = r > 0 ? VERDICT_GONE : verdict;
	return r < 0 ? r : 0;
}

/* One of its files. 1: right, 0: not there, or wrong, which ret->verdict says. */
static int verify_file(const struct store *store, const struct digest *digest, bool executable,
	bool full, struct verified *ret, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct catalog_file file;
	int64_t changed_ns;
	int r = store_open(store, digest, executable, &object, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = catalog_file(store->catalog, digest, executable, &file, err);
	if (r == -ENOENT) {
		ret->verdict = VERDICT_GONE;
		return 0;
	}
	if (full)
		file.hash = 0;
	if (r == 0)
		r = store_is_right(&object, &file, &changed_ns, err);
	if (r == 2)
		r = 1;
	if (r == 0)
		return remove_wrong(store, &object, VERDICT_DAMAGED, ret, err);
	ret->bytes += object.size;
	return r;
}

/* Neither file was there. */
static int verify_missing(const struct store *store, const struct digest *digest,
	struct verified *ret, struct err *err)
{
	const struct object object = {.fd = -1, .digest = *digest};
	struct catalog_file file;
	int r = catalog_file(store->catalog, digest, false, &file, err);

	if (r == -ENOENT) {
		ret->verdict = VERDICT_GONE;
		return 0;
	}
	return r < 0 ? r : remove_wrong(store, &object, VERDICT_MISSING, ret, err);
}

int verify_object(const struct store *store, const struct digest *digest, bool full,
	struct verified *ret, struct err *err)
{
	struct catalog_file file = {.unsure = false};
	struct verified verified = {.verdict = VERDICT_RIGHT};
	int found = 0;
	int r = 0;

	for (int executable = 0; executable <= 1; executable++) {
		r = verify_file(store, digest, executable, full, &verified, err);
		if (r < 0 || verified.verdict != VERDICT_RIGHT)
			break;
		found += r;
	}
	if (r >= 0 && found == 0 && verified.verdict == VERDICT_RIGHT)
		r = verify_missing(store, digest, &verified, err);
	/* what was read need not be read again for a power cut's sake */
	if (r >= 0 && verified.verdict == VERDICT_RIGHT &&
		catalog_file(store->catalog, digest, false, &file, NULL) == 0 && file.unsure)
		r = catalog_trust(store->catalog, digest, err);
	if (r < 0) {
		verify_release(&verified);
		return r;
	}
	*ret = verified;
	return 0;
}
