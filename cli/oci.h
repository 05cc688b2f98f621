/*
 * What an OCI runtime tells its hooks: the state of the container on stdin, and config.json in the
 * bundle that it names. (Runtime specification 1.0, "Hooks", "State", "Configuration".)
 */
#ifndef FETCHFS_CLI_OCI_H
#define FETCHFS_CLI_OCI_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OCI_TEXT_MAX (32U << 20) /* bytes of a state, or of a config.json */

struct oci {
	/* of the state */
	char *bundle;
	char *status; /* "creating", "created", "stopped" …; or NULL */
	int64_t pid;  /* in the namespace of who asks; 0: not told */

	/* annotations, of the state or else of the bundle; NULL: not given */
	char *uris;
	char *directory;
	char *method;
	char *user;

	/* of the bundle */
	char *root;      /* the directory that becomes /: as it is, or where it has been */
	uid_t uid;       /* of its process, in its own user namespace … */
	bool user_space; /* … if it has one */
	bool sys_admin;  /* something in it may have CAP_SYS_ADMIN */
};

/* Read the state. *ret is for oci_release(), also after a failure. */
int oci_read_state(const char *text, size_t len, struct oci *ret, struct err *err);

/*
 * Read the rest. Without a bundle, which may be gone when all is over, root is a good guess:
 * -ENOENT.
 */
int oci_read_bundle(struct oci *oci, struct err *err);

void oci_release(struct oci *oci);

#endif
