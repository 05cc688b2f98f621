#include "fetch/info.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/*
 * A number that differs between two versions of one artifact, and is the same while it is on its
 * way and when it is here: made of the validators if there are any, else of the digest. FNV-1a
 * (RFC 9923). 0: not known yet.
 */
static uint64_t fnv(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t version_number(
	const char *etag, int64_t modified, int64_t size, const struct digest *digest)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (etag && etag[0])
		return fnv(hash, etag, strlen(etag)) | 1;
	if (modified >= 0 && size >= 0)
		return fnv(fnv(hash, &modified, sizeof(modified)), &size, sizeof(size)) | 1;
	return digest ? fnv(hash, digest->bytes, sizeof(digest->bytes)) | 1 : 0;
}

static int fill_names(struct fetchfs_info *info, const char *uri, const char *etag,
	const struct entry_key *key, const char *scope, struct err *err)
{
	info->uri = strdup(uri);
	info->etag = etag && etag[0] ? strdup(etag) : NULL;
	if (!info->uri || (etag && etag[0] && !info->etag)) {
		fetchfs_info_release(info);
		return err_oom(err);
	}
	entry_key_hex(key, info->key);
	info->is_public = scope[0] == '\0';
	return 0;
}

int info_of_entry(const struct entry *entry, struct fetchfs_info *ret, struct err *err)
{
	static const enum fetchfs_state states[] = {
		[ENTRY_KNOWN] = FETCHFS_KNOWN,
		[ENTRY_COMPLETE] = FETCHFS_COMPLETE,
		[ENTRY_ABSENT] = FETCHFS_ABSENT,
	};
	bool complete = entry->state == ENTRY_COMPLETE;
	struct fetchfs_info info = {
		.state = states[entry->state],
		.executable = entry->executable,
		.pinned = entry->pinned,
		.size = entry->size,
		.cached_bytes = complete ? (uint64_t)entry->size : 0,
		.modified = entry->modified,
		.fetched = complete ? entry->fetched : TIME_UNKNOWN,
		.verified = entry->verified,
		.expires = entry->expires,
		.last_used = complete ? entry->last_used : TIME_UNKNOWN,
		.version = version_number(entry->etag, entry->modified, entry->size,
			complete ? &entry->digest : NULL),
	};
	int r;

	str_fit(info.type, sizeof(info.type), entry->type ? entry->type : "");
	info.is_folder = entry->state == ENTRY_KNOWN && str_equal(entry->type, CATALOG_FOLDER);
	if (complete)
		digest_hex(&entry->digest, info.sha256);
	r = fill_names(&info, entry->uri, entry->etag, &entry->key, entry->scope, err);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int info_of_flight(struct flight *flight, struct fetchfs_info *ret, struct err *err)
{
	static const enum fetchfs_state states[] = {
		[FLIGHT_QUEUED] = FETCHFS_UNKNOWN,
		[FLIGHT_STARTED] = FETCHFS_IN_FLIGHT,
		[FLIGHT_FAILED] = FETCHFS_FAILED,
	};
	const struct target *target = flight->target;
	const struct ranges_version *version = &flight->version;
	struct fetchfs_info info;
	int r;
	WITH_LOCK(&flight->mu);

	if (flight->state == FLIGHT_DONE) {
		r = info_of_entry(&flight->entry, ret, err);
		if (r == 0 && !ret->type[0])
			str_fit(ret->type, sizeof(ret->type), flight->type);
		/* without the words it is still the right file */
		if (r == 0 && flight->stood_in.code)
			ret->stands_in = str_copy(flight->stood_in.msg);
		return r;
	}

	info = (struct fetchfs_info){
		.state = states[flight->state],
		.executable = target->executable,
		.windowed = flight->windowed,
		.size = version->size,
		.modified = version->modified,
		.fetched = TIME_UNKNOWN,
		.verified = TIME_UNKNOWN,
		.expires = TIME_UNKNOWN,
		.last_used = TIME_UNKNOWN,
		.version = version_number(version->etag, version->modified, version->size, NULL),
	};
	info.cached_bytes = flight_arrived(flight);
	str_fit(info.type, sizeof(info.type), flight->type);
	r = fill_names(
		&info, target->shown, version->etag, &target->key, target->decision.scope, err);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int info_of_remote(const struct target *target, const struct remote *remote, int64_t now,
	int64_t expires, struct fetchfs_info *ret, struct err *err)
{
	const struct validators *validators = &remote->validators;
	struct fetchfs_info info = {
		.state = FETCHFS_KNOWN,
		.executable = target->executable,
		.size = remote->size,
		.modified = validators->modified,
		.fetched = TIME_UNKNOWN,
		.verified = now,
		.expires = expires,
		.last_used = TIME_UNKNOWN,
		.version =
			version_number(validators->etag, validators->modified, remote->size, NULL),
	};
	int r;

	str_fit(info.type, sizeof(info.type), remote->type);
	r = fill_names(
		&info, target->shown, validators->etag, &target->key, target->decision.scope, err);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int info_of_nothing(const struct target *target, struct fetchfs_info *ret, struct err *err)
{
	struct fetchfs_info info = {
		.state = FETCHFS_UNKNOWN,
		.size = SIZE_UNKNOWN,
		.modified = TIME_UNKNOWN,
		.fetched = TIME_UNKNOWN,
		.verified = TIME_UNKNOWN,
		.expires = TIME_UNKNOWN,
		.last_used = TIME_UNKNOWN,
	};
	int r = fill_names(&info, target->shown, NULL, &target->key, target->decision.scope, err);

	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

void fetchfs_info_release(struct fetchfs_info *info)
{
	free(info->uri);
	free(info->etag);
	free(info->stands_in);
	info->uri = NULL;
	info->etag = NULL;
	info->stands_in = NULL;
}

const char *fetchfs_state_name(enum fetchfs_state state)
{
	static const char *const names[] = {
		[FETCHFS_UNKNOWN] = "unknown",
		[FETCHFS_KNOWN] = "known",
		[FETCHFS_IN_FLIGHT] = "in-flight",
		[FETCHFS_COMPLETE] = "complete",
		[FETCHFS_ABSENT] = "absent",
		[FETCHFS_FAILED] = "failed",
	};

	if ((unsigned int)state >= ARRAY_SIZE(names))
		return "unknown";
	return names[state];
}
