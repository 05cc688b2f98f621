#include "fetch/docker_config.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void json_freep(json_t **json)
{
	json_decref(*json);
}

void docker_login_release(struct docker_login *login)
{
	config_free_secret(login->user);
	config_free_secret(login->password);
	config_free_secret(login->identity);
	config_free_secret(login->helper);
	*login = (struct docker_login){.user = NULL};
}

/* A member that is a text and not empty; else NULL. */
static const char *member(const json_t *json, const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));

	return value && *value ? value : NULL;
}

/* Base 64 (RFC 4648, 4) of a text without NUL; "" for anything else. NULL: out of memory. */
static char *decode(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *ret = calloc(1, strlen(text) + 1);
	unsigned int bits = 0;
	unsigned int count = 0;
	size_t len = 0;

	for (; ret && *text && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit) {
			explicit_bzero(ret, len);
			return ret;
		}
		bits = bits << 6 | (unsigned int)(digit - digits);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		ret[len++] = (char)(bits >> count & 0xff);
	}
	return ret;
}

/* "user:password"; some write NULs behind it. */
static int split(const char *auth, struct docker_login *ret)
{
	CLEANUP(config_free_secretp) char *plain = decode(auth);
	char *colon = plain ? strchr(plain, ':') : NULL;

	if (!plain)
		return -ENOMEM;
	if (!colon || colon == plain)
		return -EINVAL;
	ret->user = strndup(plain, (size_t)(colon - plain));
	ret->password = str_copy(colon + 1);
	return ret->user && ret->password ? 0 : -ENOMEM;
}

static int take_entry(const json_t *entry, struct docker_login *ret)
{
	const char *identity = member(entry, "identitytoken");
	const char *auth = member(entry, "auth");
	const char *user = member(entry, "username");
	const char *password = member(entry, "password");

	if (identity) {
		ret->identity = str_copy(identity);
		return ret->identity ? 0 : -ENOMEM;
	}
	if (auth)
		return split(auth, ret);
	if (!user || !password)
		return 0;
	ret->user = str_copy(user);
	ret->password = str_copy(password);
	return ret->user && ret->password ? 0 : -ENOMEM;
}

/* Older programs wrote a URI: "https://host/v1/". */
static bool names(const char *key, const char *registry)
{
	size_t len;

	if (str_has_prefix(key, "https://"))
		key += strlen("https://");
	else if (str_has_prefix(key, "http://"))
		key += strlen("http://");
	len = strcspn(key, "/");
	return strlen(registry) == len && strncasecmp(key, registry, len) == 0;
}

/* The value of the key that names the registry, be it as a URI; or NULL. */
static json_t *entry_of(json_t *object, const char *registry)
{
	json_t *exact = json_object_get(object, registry);
	const char *key;
	json_t *value;

	if (exact)
		return exact;
	json_object_foreach(object, key, value)
	{
		if (names(key, registry))
			return value;
	}
	return NULL;
}

int docker_config_find(const char *text, const char *registry, struct docker_login *ret)
{
	CLEANUP(json_freep) json_t *json = json_loads(text, 0, NULL);
	const char *helper;
	int r;

	*ret = (struct docker_login){.user = NULL};
	if (!json_is_object(json))
		return -EINVAL;
	helper = json_string_value(entry_of(json_object_get(json, "credHelpers"), registry));
	if (!helper || !*helper)
		helper = member(json, "credsStore");
	if (helper) {
		ret->helper = str_copy(helper);
		return ret->helper ? 0 : -ENOMEM;
	}
	r = take_entry(entry_of(json_object_get(json, "auths"), registry), ret);
	if (r < 0)
		docker_login_release(ret);
	return r;
}
