#include "cli/json.h"

void json_info(struct json *json, const struct fetchfs_info *info)
{
	json_open(json, NULL, '{');
	json_text(json, "uri", info->uri);
	json_text(json, "key", info->key);
	json_text(json, "state", fetchfs_state_name(info->state));
	json_known(json, "size", info->size);
	json_number(json, "cached_bytes", (int64_t)info->cached_bytes);
	json_text(json, "sha256", *info->sha256 ? info->sha256 : NULL);
	json_bool(json, "public", info->is_public);
	json_bool(json, "executable", info->executable);
	json_bool(json, "pinned", info->pinned);
	json_text(json, "etag", info->etag);
	json_text(json, "type", *info->type ? info->type : NULL);
	json_known(json, "modified", info->modified);
	json_known(json, "fetched", info->fetched);
	json_known(json, "verified", info->verified);
	json_known(json, "expires", info->expires);
	json_known(json, "last_used", info->last_used);
	json_close(json, '}');
}
