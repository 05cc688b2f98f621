/*
 * What is in force, and why. A part of fetchfs.h.
 */
#ifndef FETCHFS_FETCH_FETCHFS_CONFIG_H
#define FETCHFS_FETCH_FETCHFS_CONFIG_H

#ifndef FETCHFS_FETCH_FETCHFS_H
#error "include fetchfs.h"
#endif

/* Something that is in force. The strings are valid while the visitor runs. */
struct fetchfs_setting {
	const char *section;
	const char *name; /* the URI prefix of the section, or NULL */
	const char *key;
	const char *value; /* as it would be written in a file; "…" for a secret; NULL: nothing */
	const char *file;  /* where it was said; NULL: the default, or what follows from others */
	unsigned int line; /* of the file, from 1 */
};

typedef int fetchfs_visit_setting(const struct fetchfs_setting *setting, void *arg);

/*
 * All settings: those of all keys that stand for themselves, then the sections of URI prefixes. A
 * list is as many settings as lines. A non-zero answer of @visit ends it and is returned. No cache
 * is opened; of @options only what says where the configuration is counts.
 */
FETCHFS_API int fetchfs_config(const struct fetchfs_options *options, fetchfs_visit_setting *visit,
	void *arg, struct err *err);

/*
 * What becomes of a request of request->uid, in a cache of this user: its section is "", and keys
 * are "uri" (as it is understood and may be shown), "policy" ("allowed" or why not), "rule" (what
 * of the configuration, or which default, decided), "visible" (to whom the artifact would be),
 * "credentials" (whose), and, if there is one, "section" and the keys of that section.
 */
FETCHFS_API int fetchfs_config_explain(const struct fetchfs_options *options,
	const struct fetchfs_request *request, fetchfs_visit_setting *visit, void *arg,
	struct err *err);

#endif
