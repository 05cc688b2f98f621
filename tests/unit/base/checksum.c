#include "base/checksum.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MD5_ABC    "900150983cd24fb0d6963f7d28e17f72"
#define SHA1_ABC   "a9993e364706816aba3e25717850c26c9cd0d89d"
#define SHA256_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_ABC                                                                                 \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                         \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static const char *const of_abc[] = {
	"md5:" MD5_ABC, "sha1:" SHA1_ABC, "sha256:" SHA256_ABC, "sha512:" SHA512_ABC};

static struct checksum parsed(const char *text)
{
	struct checksum checksum;
	struct err err = ERR_INIT;

	cr_assert_eq(checksum_parse(text, &checksum, &err), 0, "%s: %s", text, err.msg);
	return checksum;
}

static void refused(const char *text, const char *why)
{
	struct checksum checksum;
	struct err err = ERR_INIT;

	cr_assert_eq(checksum_parse(text, &checksum, &err), -EINVAL, "%s", text);
	cr_assert_not_null(strstr(err.msg, why), "%s", err.msg);
}

Test(checksum, vectors_of_the_standards)
{
	for (size_t i = 0; i < sizeof(of_abc) / sizeof(of_abc[0]); i++) {
		struct checksum expected = parsed(of_abc[i]);
		struct checksum is;
		char text[CHECKSUM_TEXT_SIZE];

		cr_assert_eq(checksum_buffer(expected.kind, "abc", 3, &is, NULL), 0);
		cr_assert(checksum_equal(&is, &expected));
		cr_assert_eq(memcmp(&is, &expected, sizeof(is)), 0, "unused bytes are zero");
		checksum_format(&is, text);
		cr_assert_str_eq(text, of_abc[i]);
	}
}

Test(checksum, a_stream_and_a_file_are_the_sum_of_their_parts)
{
	FILE *file = tmpfile();

	fwrite("abc", 1, 3, file);
	fflush(file);
	for (size_t i = 0; i < sizeof(of_abc) / sizeof(of_abc[0]); i++) {
		CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
		struct checksum expected = parsed(of_abc[i]);
		struct checksum is;

		cr_assert_eq(checksum_stream_new(expected.kind, &stream, NULL), 0);
		cr_assert_eq(checksum_stream_update(stream, "a", 1, NULL), 0);
		cr_assert_eq(checksum_stream_update(stream, "bc", 2, NULL), 0);
		cr_assert_eq(checksum_stream_finish(stream, &is, NULL), 0);
		cr_assert(checksum_equal(&is, &expected));

		cr_assert_eq(checksum_file(expected.kind, fileno(file), 3, &is, NULL), 0);
		cr_assert(checksum_equal(&is, &expected));
		cr_assert_eq(checksum_file(expected.kind, fileno(file), 4, &is, NULL), -EIO);
	}
	fclose(file);
}

Test(checksum, is_read_in_every_spelling)
{
	struct checksum sha256 = parsed("sha256:" SHA256_ABC);
	struct checksum equals = parsed("sha256=" SHA256_ABC);
	struct checksum bare = parsed(SHA256_ABC);
	struct checksum upper = parsed("SHA512:" SHA512_ABC);
	struct checksum lower = parsed("sha512=" SHA512_ABC);

	cr_assert(checksum_equal(&sha256, &equals) && checksum_equal(&sha256, &bare));
	cr_assert(checksum_equal(&upper, &lower) && !checksum_equal(&upper, &bare));
	cr_assert(!checksum_is_weak(&bare) && !checksum_is_weak(&upper));
	bare = parsed("md5=" MD5_ABC);
	cr_assert(checksum_is_weak(&bare));
	bare = parsed("sha1:" SHA1_ABC);
	cr_assert(checksum_is_weak(&bare));
}

Test(checksum, what_is_none_is_refused_with_the_reason)
{
	refused("", "neither KIND:HEX");
	refused(SHA1_ABC, "neither KIND:HEX"); /* its length alone is too weak a hint */
	refused("sha384:00", "none of sha256");
	refused("sha512:" SHA256_ABC, "128 hexadecimal digits");
	refused("sha256:" SHA256_ABC "0", "64 hexadecimal digits");
	refused("md5:" MD5_ABC " ", "32 hexadecimal digits");
	refused("md5:900150983cd24fb0d6963f7d28e17f7g", "32 hexadecimal digits");
	refused("sha256:", "64 hexadecimal digits");
	refused(":" SHA256_ABC, "none of sha256");
}

Test(checksum, digits_alone_tell_their_kind_by_their_number)
{
	struct checksum checksum;

	cr_assert_eq(checksum_parse_hex(SHA512_ABC, &checksum, NULL), 0);
	cr_assert_eq(checksum.kind, CHECKSUM_SHA512);
	cr_assert_eq(checksum_parse_hex(MD5_ABC, &checksum, NULL), 0);
	cr_assert_eq(checksum.kind, CHECKSUM_MD5);
	cr_assert_eq(checksum_parse_hex(SHA1_ABC, &checksum, NULL), 0);
	cr_assert_eq(checksum.kind, CHECKSUM_SHA1);
	cr_assert_eq(checksum_parse_hex("", &checksum, NULL), -EINVAL);
	cr_assert_eq(checksum_parse_hex(SHA1_ABC "00", &checksum, NULL), -EINVAL);
}

Test(checksum, a_mismatch_tells_both_values)
{
	struct checksum is = parsed("md5:" MD5_ABC);
	struct checksum expected = parsed("md5:00000000000000000000000000000000");
	struct err err = ERR_INIT;

	cr_assert_eq(checksum_check(&is, &is, &err), 0);
	cr_assert_eq(checksum_check(&is, &expected, &err), -EBADMSG);
	cr_assert_str_eq(err.msg, "md5 is " MD5_ABC ", expected 00000000000000000000000000000000");
	cr_assert_eq(err.kind, ERR_INTEGRITY);
}

Test(checksum, may_be_written_in_base64)
{
	static const char *const bad[] = {"", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
		"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0==",
		" ngWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
		"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
		"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa=="};
	struct checksum is, want;

	cr_assert_eq(checksum_buffer(CHECKSUM_SHA256, "abc", 3, &want, NULL), 0);
	cr_assert_eq(checksum_parse_base64(CHECKSUM_SHA256,
			     "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", &is, NULL),
		0);
	cr_assert(checksum_equal(&is, &want));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(checksum_parse_base64(CHECKSUM_SHA256, bad[i], &is, NULL), -EINVAL,
			"%s", bad[i]);
}
