/*
 * Keys of S3 that are lent for a while: by the metadata server of an instance, by that of a
 * container, or by the security token service to who has a token of another identity.
 *
 * They are asked for when they are needed, and kept until shortly before they expire. Thread-safe.
 */
#ifndef FETCHFS_BACKENDS_S3_WALLET_H
#define FETCHFS_BACKENDS_S3_WALLET_H

#include "backends/backend.h"

struct s3_keys {
	char *id; /* NULL: there are none, and nobody is asked again for a while */
	char *secret;
	char *token;
	int64_t expires; /* seconds since 1970 */
};

void s3_keys_release(struct s3_keys *keys); /* leaves nothing of them in memory */

struct s3_wallet;

struct s3_wallet *s3_wallet_new(void); /* NULL: out of memory */
void s3_wallet_free(struct s3_wallet *wallet);

/*
 * The keys of access->source, which one caller asks for at a time, for all that want them: who
 * waits hears of its failure, too. @request is what they are for: its poll, on this thread, ends
 * the wait, as do ten seconds. Unless @may_wait, -EAGAIN when somebody would have to be asked.
 * *ret is for s3_keys_release(). A machine that is no instance, or has no role, has none and asks
 * as anybody; whatever else went wrong is an error.
 */
int s3_wallet_get(const struct backend_env *env, const struct backend_request *request,
	const struct access_s3 *access, bool may_wait, struct s3_keys *ret, struct err *err);

#endif
