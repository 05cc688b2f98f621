#include "base/checksum.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/libcrypto.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <nettle/base64.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_SIZE (256 * 1024)

struct checksum_stream {
	EVP_MD_CTX *ctx;
	enum checksum_kind kind;
};

static const struct {
	const char *name;
	size_t size;
	const char *method; /* as OpenSSL calls it */
} kinds[CHECKSUM_KINDS] = {
	[CHECKSUM_NONE] = {"none", 0, NULL},
	[CHECKSUM_MD5] = {"md5", 16, "MD5"},
	[CHECKSUM_SHA1] = {"sha1", 20, "SHA1"},
	[CHECKSUM_SHA512] = {"sha512", 64, "SHA512"},
	[CHECKSUM_SHA256] = {"sha256", DIGEST_SIZE, "SHA256"},
};

const char *checksum_kind_name(enum checksum_kind kind)
{
	return kinds[kind].name;
}

size_t checksum_size(enum checksum_kind kind)
{
	return kinds[kind].size;
}

enum checksum_kind checksum_kind_find(const char *name, size_t len)
{
	for (enum checksum_kind kind = CHECKSUM_NONE + 1; kind < CHECKSUM_KINDS; kind++)
		if (strlen(kinds[kind].name) == len &&
			strncasecmp(kinds[kind].name, name, len) == 0)
			return kind;
	return CHECKSUM_NONE;
}

bool checksum_is_kind_like(const char *name, size_t len)
{
	static const char *const families[] = {"sha", "sha-", "md", "blake"};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		size_t prefix = strlen(families[i]);

		if (len > prefix && strncasecmp(name, families[i], prefix) == 0 &&
			isdigit((unsigned char)name[prefix]))
			return true;
	}
	return false;
}

static int parse_value(
	enum checksum_kind kind, const char *hex, struct checksum *ret, struct err *err)
{
	struct checksum checksum = {.kind = kind};

	if (!str_from_hex(hex, kinds[kind].size, checksum.bytes))
		return err_set(err, ERR_USAGE, EINVAL,
			"digest '%.140s' is not %zu hexadecimal digits, as %s has them", hex,
			2 * kinds[kind].size, kinds[kind].name);
	*ret = checksum;
	return 0;
}

int checksum_parse(const char *text, struct checksum *ret, struct err *err)
{
	size_t len = strcspn(text, ":=");
	enum checksum_kind kind = checksum_kind_find(text, len);

	if (text[len] && kind != CHECKSUM_NONE)
		return parse_value(kind, text + len + 1, ret, err);
	if (text[len])
		return err_set(err, ERR_USAGE, EINVAL,
			"digest '%.80s': its kind is none of sha256, sha512, sha1, md5", text);
	if (len != (size_t)2 * DIGEST_SIZE)
		return err_set(err, ERR_USAGE, EINVAL,
			"digest '%.80s' is neither KIND:HEX nor the 64 digits of a sha256", text);
	return parse_value(CHECKSUM_SHA256, text, ret, err);
}

int checksum_parse_hex(const char *hex, struct checksum *ret, struct err *err)
{
	size_t len = strlen(hex);

	for (enum checksum_kind kind = CHECKSUM_NONE + 1; kind < CHECKSUM_KINDS; kind++)
		if (len == 2 * kinds[kind].size)
			return parse_value(kind, hex, ret, err);
	return err_set(err, ERR_USAGE, EINVAL, "no digest has %zu digits", len);
}

int checksum_parse_base64(
	enum checksum_kind kind, const char *text, struct checksum *ret, struct err *err)
{
	size_t size = kinds[kind].size;
	size_t len = (size + 2) / 3 * 4;
	uint8_t bytes[BASE64_DECODE_LENGTH((CHECKSUM_BYTES_MAX + 2) / 3 * 4)];
	struct base64_decode_ctx ctx;
	struct checksum checksum = {.kind = kind};
	size_t decoded;

	/* white space, which it passes over, would be digits too few */
	base64_decode_init(&ctx);
	if (strlen(text) != len || !base64_decode_update(&ctx, &decoded, bytes, len, text) ||
		!base64_decode_final(&ctx) || decoded != size)
		return err_set(err, ERR_USAGE, EINVAL, "'%.140s' is no %s in base64", text,
			kinds[kind].name);
	memcpy(checksum.bytes, bytes, size);
	*ret = checksum;
	return 0;
}

void checksum_format(const struct checksum *checksum, char *ret)
{
	size_t len = strlen(kinds[checksum->kind].name);

	*ret = '\0';
	if (checksum->kind == CHECKSUM_NONE)
		return;
	memcpy(ret, kinds[checksum->kind].name, len);
	ret[len] = ':';
	str_to_hex(checksum->bytes, kinds[checksum->kind].size, ret + len + 1);
}

bool checksum_equal(const struct checksum *a, const struct checksum *b)
{
	return a->kind == b->kind && memcmp(a->bytes, b->bytes, kinds[a->kind].size) == 0;
}

bool checksum_is_weak(const struct checksum *checksum)
{
	return checksum->kind == CHECKSUM_MD5 || checksum->kind == CHECKSUM_SHA1;
}

struct checksum checksum_of_digest(const struct digest *digest)
{
	struct checksum checksum = {.kind = CHECKSUM_SHA256};

	memcpy(checksum.bytes, digest->bytes, DIGEST_SIZE);
	return checksum;
}

int checksum_check(const struct checksum *is, const struct checksum *expected, struct err *err)
{
	char is_text[CHECKSUM_TEXT_SIZE];
	char expected_text[CHECKSUM_TEXT_SIZE];
	size_t prefix = strlen(kinds[is->kind].name) + 1;

	if (checksum_equal(is, expected))
		return 0;
	checksum_format(is, is_text);
	checksum_format(expected, expected_text);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "%s is %s, expected %s", kinds[is->kind].name,
		is_text + prefix, expected_text + prefix);
}

/* ---- computing ---- */

/* For want of memory, or of the method: a FIPS configuration of OpenSSL refuses MD5. */
static int failed(enum checksum_kind kind, struct err *err)
{
	return err_set(err, ERR_SYSTEM, EIO, "compute %s: libcrypto does not", kinds[kind].name);
}

static EVP_MD *methods[CHECKSUM_KINDS]; /* by look_up(), once; then they never change */

static void look_up(void)
{
	for (enum checksum_kind kind = CHECKSUM_NONE + 1; kind < CHECKSUM_KINDS; kind++)
		methods[kind] = EVP_MD_fetch(NULL, kinds[kind].method, NULL);
}

/* Looking one up takes as long as hashing a kilobyte: once is enough for a process. */
static const EVP_MD *find_method(enum checksum_kind kind)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look_up);
	return methods[kind];
}

int checksum_stream_new(enum checksum_kind kind, struct checksum_stream **ret, struct err *err)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
	const EVP_MD *method;
	int r = libcrypto_load(err);

	if (r < 0)
		return r;
	method = find_method(kind);
	if (!method)
		return failed(kind, err);
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return err_oom(err);
	stream->kind = kind;
	stream->ctx = EVP_MD_CTX_new();
	if (!stream->ctx)
		return err_oom(err);
	if (!EVP_DigestInit_ex(stream->ctx, method, NULL))
		return failed(kind, err);

	*ret = stream;
	stream = NULL;
	return 0;
}

void checksum_stream_free(struct checksum_stream *stream)
{
	if (!stream)
		return;
	EVP_MD_CTX_free(stream->ctx);
	free(stream);
}

void checksum_stream_freep(struct checksum_stream **stream)
{
	checksum_stream_free(*stream);
	*stream = NULL;
}

enum checksum_kind checksum_stream_kind(const struct checksum_stream *stream)
{
	return stream ? stream->kind : CHECKSUM_NONE;
}

int checksum_stream_update(
	struct checksum_stream *stream, const void *buf, size_t len, struct err *err)
{
	return EVP_DigestUpdate(stream->ctx, buf, len) ? 0 : failed(stream->kind, err);
}

int checksum_stream_finish(struct checksum_stream *stream, struct checksum *ret, struct err *err)
{
	struct checksum checksum = {.kind = stream->kind};

	if (!EVP_DigestFinal_ex(stream->ctx, checksum.bytes, NULL))
		return failed(stream->kind, err);
	*ret = checksum;
	return 0;
}

int checksum_stream_digest(struct checksum_stream *stream, struct digest *ret, struct err *err)
{
	struct checksum checksum;
	int r = checksum_stream_finish(stream, &checksum, err);

	if (r == 0)
		memcpy(ret->bytes, checksum.bytes, DIGEST_SIZE);
	return r;
}

int checksum_buffer(
	enum checksum_kind kind, const void *buf, size_t len, struct checksum *ret, struct err *err)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
	int r = checksum_stream_new(kind, &stream, err);

	if (r == 0)
		r = checksum_stream_update(stream, buf, len, err);
	return r < 0 ? r : checksum_stream_finish(stream, ret, err);
}

int checksum_file(
	enum checksum_kind kind, int fd, uint64_t size, struct checksum *ret, struct err *err)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
	CLEANUP(str_freep) char *buf = malloc(READ_SIZE);
	int r;

	if (!buf)
		return err_oom(err);
	r = checksum_stream_new(kind, &stream, err);
	for (uint64_t offset = 0; r == 0 && offset < size;) {
		size_t len = size - offset < READ_SIZE ? size - offset : READ_SIZE;
		ssize_t n = fd_pread_full(fd, buf, len, offset);

		if (n != (ssize_t)len)
			return err_set(err, ERR_SYSTEM, n < 0 ? (int)-n : EIO,
				"read back for its %s: %m", kinds[kind].name);
		r = checksum_stream_update(stream, buf, len, err);
		offset += len;
	}
	return r < 0 ? r : checksum_stream_finish(stream, ret, err);
}
