/*
 * The files that `aws configure` writes: profiles, each with settings of one line.
 *
 *	[default]                    in ~/.aws/credentials, and in ~/.aws/config
 *	[name]    [profile name]     in the one, in the other
 *	key = value
 *
 * What is indented belongs to the key above it, and is none of ours.
 */
#ifndef FETCHFS_FETCH_AWS_PROFILE_H
#define FETCHFS_FETCH_AWS_PROFILE_H

#include <stdbool.h>

/* Whether @text has the profile @name; @is_config: as ~/.aws/config calls it. */
bool aws_profile_exists(const char *text, const char *name, bool is_config);

/* The value of @key there, the caller's, for config_free_secret(); NULL: it has none, or there is
 * no memory. */
char *aws_profile_get(const char *text, const char *name, bool is_config, const char *key);

#endif
