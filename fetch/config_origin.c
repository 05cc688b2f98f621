/* Sections of URI prefixes, once they are read: which one holds, and what it is. */
#include "base/str.h"
#include "base/uri.h"
#include "fetch/config.h"
#include "fetch/config_sections.h"

#include <string.h>

const struct origin *config_origin(const struct config *config, const char *text)
{
	const struct origin *best = NULL;

	for (size_t i = 0; i < config->origin_count; i++) {
		const struct origin *origin = &config->origins[i];

		if ((!best || strlen(origin->prefix) > strlen(best->prefix)) &&
			uri_is_below(origin->prefix, text))
			best = origin;
	}
	return best;
}

bool config_has_credentials(const struct origin *origin)
{
	if (origin->is_s3 || origin->is_oci || origin->is_hadoop)
		return !origin->anonymous;
	if (origin->is_hdfs)
		return origin->hdfs_user || origin->token_file;
	return origin->user_file || origin->bearer || origin->bearer_file || origin->netrc ||
	       origin->client_cert || origin->headers.count > 0;
}

const char *config_section_of(const struct origin *origin)
{
	if (origin->is_hdfs)
		return "hdfs";
	if (origin->is_hadoop)
		return "hadoop";
	if (origin->is_oci)
		return "oci";
	return origin->is_s3 ? "s3" : "origin";
}

bool config_is_hadoop(const struct config *config, const char *scheme)
{
	for (size_t i = 0; i < config->hadoop_schemes.count; i++)
		if (str_equal(config->hadoop_schemes.items[i], scheme))
			return true;
	return false;
}

const char *config_section_for(const struct config *config, const struct uri *uri)
{
	if (config_is_hadoop(config, uri->scheme))
		return "hadoop";
	if (config_sections_own("hdfs", uri->text))
		return "hdfs";
	if (config_sections_own("oci", uri->text))
		return "oci";
	return config_sections_own("s3", uri->text) ? "s3" : NULL;
}
