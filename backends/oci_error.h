/* What a registry says when it refuses (distribution specification, "Error Codes"). */
#ifndef FETCHFS_BACKENDS_OCI_ERROR_H
#define FETCHFS_BACKENDS_OCI_ERROR_H

#include "base/err.h"

/* As the dialect's refused(): @err has what the status says. -errno. Of @body only the code is
 * repeated. */
int oci_error(long status, const char *body, struct err *err);

#endif
