#include "base/digest.h"

#include "base/str.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <string.h>

int digest_parse(const char *text, struct digest *ret, struct err *err)
{
	const char *hex = text;
	struct digest digest;

	if (str_has_prefix(text, "sha256:") || str_has_prefix(text, "sha256="))
		hex += strlen("sha256:");
	if (!str_from_hex(hex, DIGEST_SIZE, digest.bytes))
		return err_set(err, ERR_USAGE, EINVAL,
			"digest '%.80s' is not sha256: and 64 hexadecimal digits", text);
	*ret = digest;
	return 0;
}

void digest_hex(const struct digest *digest, char *ret)
{
	str_to_hex(digest->bytes, DIGEST_SIZE, ret);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

void digest_buffer(const void *buf, size_t len, struct digest *ret)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, buf);
	sha256_digest(&ctx, DIGEST_SIZE, ret->bytes);
}

void digest_hmac(const void *key, size_t key_len, const void *buf, size_t len, struct digest *ret)
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, len, buf);
	hmac_sha256_digest(&ctx, DIGEST_SIZE, ret->bytes);
	explicit_bzero(&ctx, sizeof(ctx));
}
