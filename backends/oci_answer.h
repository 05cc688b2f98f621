/* Small answers: a sink that keeps them, with a limit of bytes and of time. */
#ifndef FETCHFS_BACKENDS_OCI_ANSWER_H
#define FETCHFS_BACKENDS_OCI_ANSWER_H

#include "backends/backend.h"

struct oci_answer {
	struct sink sink; /* first, so that it is the answer */
	int (*poll)(void *arg, struct err *err);
	void *arg;
	bool *ret_queued; /* or NULL: told before each poll */
	size_t max;       /* bytes; more are -EFBIG */
	int64_t until;    /* milliseconds on the monotonic clock */
	char *text;       /* with a NUL behind it; NULL: nothing came */
	size_t len;
	size_t room;
};

void oci_answer_init(
	struct oci_answer *answer, size_t max, int (*poll)(void *arg, struct err *err), void *arg);
void oci_answer_release(struct oci_answer *answer); /* nothing of it stays */

#endif
