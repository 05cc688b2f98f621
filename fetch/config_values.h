/*
 * What the values of the configuration may be: one function for each kind, which understands the
 * text of a key and puts it into the field that the key stands for.
 */
#ifndef FETCHFS_FETCH_CONFIG_VALUES_H
#define FETCHFS_FETCH_CONFIG_VALUES_H

#include "fetch/config.h"

/* A key on its way into the configuration. */
struct setting {
	const struct config_key *key;
	struct config *config;
	struct origin *origin; /* of [origin "…"], else NULL */
	void *field;           /* a member of one of them */
};

struct config_key {
	const char *section;
	const char *name;
	/* 0, or -EINVAL with a text that says what would make sense. */
	int (*set)(const struct setting *setting, const char *value, struct err *err);
	size_t offset;      /* of the field */
	unsigned int flags; /* CONFIG_… */
	int64_t min;        /* numbers and durations (ms) only; both ends included */
	int64_t max;
};

#define CONFIG_LIST   1U /* an indented line may go on with it */
#define CONFIG_WHOLE  2U /* up to the end of the line: no " ; comment" */
#define CONFIG_SECRET 4U /* never repeated in a message */

int config_set_size(const struct setting *setting, const char *value, struct err *err);
int config_set_rate(const struct setting *setting, const char *value, struct err *err);
int config_set_min_free(const struct setting *setting, const char *value, struct err *err);
int config_set_per_user(const struct setting *setting, const char *value, struct err *err);
int config_set_count(const struct setting *setting, const char *value, struct err *err);
int config_set_duration(const struct setting *setting, const char *value, struct err *err);
int config_set_yes_no(const struct setting *setting, const char *value, struct err *err);
int config_set_deny_allow(const struct setting *setting, const char *value, struct err *err);
int config_set_lazy(const struct setting *setting, const char *value, struct err *err);
int config_set_lookup_head(const struct setting *setting, const char *value, struct err *err);
int config_set_order(const struct setting *setting, const char *value, struct err *err);
int config_set_path(const struct setting *setting, const char *value, struct err *err);
int config_set_prefixes(const struct setting *setting, const char *value, struct err *err);
int config_set_roots(const struct setting *setting, const char *value, struct err *err);
int config_set_mirrors(const struct setting *setting, const char *value, struct err *err);
int config_set_users(const struct setting *setting, const char *value, struct err *err);
int config_set_header(const struct setting *setting, const char *value, struct err *err);
int config_set_bearer(const struct setting *setting, const char *value, struct err *err);
int config_set_endpoint(const struct setting *setting, const char *value, struct err *err);
int config_set_endpoints(const struct setting *setting, const char *value, struct err *err);
int config_set_hosts(const struct setting *setting, const char *value, struct err *err);
int config_set_schemes(const struct setting *setting, const char *value, struct err *err);
int config_set_name(const struct setting *setting, const char *value, struct err *err);
int config_set_style(const struct setting *setting, const char *value, struct err *err);
int config_set_platform(const struct setting *setting, const char *value, struct err *err);
int config_set_proxy(const struct setting *setting, const char *value, struct err *err);

/* When all files are read: the schemes that Hadoop's client is asked for, unless they have others,
 * are the backend's. A NULL stands behind the last one. */
int config_hadoop_finish(struct config *config, struct err *err);

/* "name: 'value' is not @expected", without the value if the key's is a secret. -EINVAL. */
int config_bad_value(
	const struct config_key *key, const char *value, const char *expected, struct err *err);

/*
 * @item as a URI prefix in canonical form, the caller's to free(). -EINVAL with "@what: …"; what is
 * refused is not repeated: it may hold a password.
 */
int config_prefix(const char *what, const char *item, char **ret, struct err *err);

/* How an item of a list is checked and spelt. */
typedef int config_canonical_item(
	const struct config_key *key, const char *item, char **ret, struct err *err);

/* Each item of @value, between bytes of @separators and without blanks, through @canonical. */
int config_add_items(const struct setting *setting, const char *value, const char *separators,
	config_canonical_item *canonical, struct err *err);

/* An http(s) URI that ends in '/', from malloc(). */
int config_endpoint(const struct config_key *key, const char *item, char **ret, struct err *err);

/* Takes @item, from malloc(), also on error; NULL is out of memory. */
int config_list_add(struct config_list *list, char *item, struct err *err);

/* Put a copy of @value into *field, which has a string from malloc() or NULL. */
int config_replace(char **field, const char *value, struct err *err);

/* Whether it may follow "Bearer " in a header (RFC 6750, 2.1). */
bool config_is_token(const char *text);

/* free() of what may be a secret: nothing of it stays in memory. NULL is ignored. */
void config_free_secret(char *text);
void config_free_secretp(char **text); /* for CLEANUP() */

#endif
