#include "fetch/config_check.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_sections.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool config_is_readable_by_others(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && (st.st_mode & S_IROTH);
}

/* Of files with credentials that are no secret, though they may be written anew later. */
static int warn_of_files(struct config *config, const struct origin *origin, struct err *err)
{
	const struct {
		const char *key;
		const char *file;
	} files[] = {
		{"user_file", origin->user_file},
		{"bearer_file", origin->bearer_file},
		{"netrc", origin->netrc},
		{"client_cert", origin->client_cert},
		{"credentials", origin->keys_file},
		{"token_file", origin->token_file},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		if (files[i].file && config_is_readable_by_others(files[i].file))
			r = config_list_add(&config->warnings,
				str_printf("%s of [%s \"%s\"]: everybody may read %s", files[i].key,
					config_section_of(origin), origin->prefix, files[i].file),
				err);
	return r;
}

/* Without credentials an artifact is everybody's, whoever is named. */
static int warn_of_users(struct config *config, const struct origin *origin, struct err *err)
{
	if (origin->users.count == 0 || config_has_credentials(origin))
		return 0;
	return config_list_add(&config->warnings,
		str_printf("users of [%s \"%s\"]: without credentials in the section it "
			   "keeps nobody out",
			config_section_of(origin), origin->prefix),
		err);
}

/* Of two words about one thing the one that opens less shall not go unnoticed. */
static int check_s3(const struct origin *origin, struct err *err)
{
	if (!origin->is_s3 || !origin->anonymous || (!origin->keys_file && !origin->profile))
		return 0;
	return err_set(err, ERR_USAGE, EINVAL,
		"[s3 \"%s\"]: 'anonymous = yes' and credentials exclude each other",
		origin->prefix);
}

static int check_oci(const struct origin *origin, struct err *err)
{
	if (!origin->is_oci)
		return 0;
	if (origin->anonymous && (origin->keys_file || origin->user_file || origin->client_cert))
		return err_set(err, ERR_USAGE, EINVAL,
			"[oci \"%s\"]: 'anonymous = yes' and credentials exclude each other",
			origin->prefix);
	if (origin->keys_file && origin->user_file)
		return err_set(err, ERR_USAGE, EINVAL,
			"[oci \"%s\"]: user_file and credentials exclude each other",
			origin->prefix);
	return 0;
}

/* By the digest of what a tag stands for everybody would come around the rule. */
static int check_deny(const struct config *config, struct err *err)
{
	for (size_t i = 0; i < config->deny.count; i++)
		if (config_sections_name_tag(config->deny.items[i]))
			return err_set(err, ERR_USAGE, EINVAL,
				"deny = %s: a repository can be denied, and none of its tags",
				config->deny.items[i]);
	return 0;
}

/* A section that nobody would look at. */
static int check_hadoop(const struct config *config, const struct origin *origin, struct err *err)
{
	CLEANUP(str_freep) char *scheme = strndup(origin->prefix, strcspn(origin->prefix, ":"));

	if (!scheme)
		return err_oom(err);
	if (origin->is_hadoop == config_is_hadoop(config, scheme))
		return 0;
	if (origin->is_hadoop)
		return err_set(err, ERR_USAGE, EINVAL,
			"[hadoop \"%s\"]: %s is not one of 'hadoop_schemes' in [fetch]",
			origin->prefix, scheme);
	return err_set(err, ERR_USAGE, EINVAL,
		"[%s \"%s\"]: %s is for Hadoop's client, whose sections are [hadoop \"%s\"]",
		config_section_of(origin), origin->prefix, scheme, origin->prefix);
}

int config_check(struct config *config, struct err *err)
{
	int r = check_deny(config, err);

	for (size_t i = 0; r == 0 && i < config->origin_count; i++) {
		r = warn_of_files(config, &config->origins[i], err);
		if (r == 0)
			r = warn_of_users(config, &config->origins[i], err);
		if (r == 0)
			r = check_s3(&config->origins[i], err);
		if (r == 0)
			r = check_oci(&config->origins[i], err);
		if (r == 0)
			r = check_hadoop(config, &config->origins[i], err);
	}
	return r;
}
