#include "base/checksum.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define HEX_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void check_hex(const struct digest *digest, const char *expected)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(digest, hex);
	cr_assert_str_eq(hex, expected);
}

static void check_buffer(const char *text, const char *expected)
{
	struct digest digest;

	digest_buffer(text, strlen(text), &digest);
	check_hex(&digest, expected);
}

Test(digest, vectors_of_fips_180_4)
{
	check_buffer("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_buffer("abc", HEX_ABC);
	check_buffer("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(digest, a_stream_is_the_sum_of_its_parts)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
	static char block[1000];
	struct digest digest;

	memset(block, 'a', sizeof(block));
	cr_assert_eq(checksum_stream_new(CHECKSUM_SHA256, &stream, NULL), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(checksum_stream_update(stream, block, sizeof(block), NULL), 0);
	cr_assert_eq(checksum_stream_update(stream, NULL, 0, NULL), 0);
	cr_assert_eq(checksum_stream_digest(stream, &digest, NULL), 0);
	check_hex(&digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

Test(digest, vectors_of_rfc_4231)
{
	unsigned char key[131];
	static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	struct digest digest;

	memset(key, 0x0b, 20);
	digest_hmac(key, 20, "Hi There", 8, &digest);
	check_hex(&digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

	digest_hmac("Jefe", 4, "what do ya want for nothing?", 28, &digest);
	check_hex(&digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

	memset(key, 0xaa, sizeof(key));
	digest_hmac(key, sizeof(key), data, strlen(data), &digest);
	check_hex(&digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

Test(digest, three_spellings_are_read)
{
	struct digest bare, colon, equals;

	cr_assert_eq(digest_parse(HEX_ABC, &bare, NULL), 0);
	cr_assert_eq(digest_parse("sha256:" HEX_ABC, &colon, NULL), 0);
	cr_assert_eq(digest_parse("sha256=" HEX_ABC, &equals, NULL), 0);
	check_hex(&bare, HEX_ABC);
	cr_assert(digest_equal(&bare, &colon));
	cr_assert(digest_equal(&bare, &equals));
	colon.bytes[DIGEST_SIZE - 1] ^= 1;
	cr_assert_not(digest_equal(&bare, &colon));
}

Test(digest, anything_else_is_refused)
{
	struct digest digest;

	cr_assert_eq(digest_parse("", &digest, NULL), -EINVAL);
	cr_assert_eq(digest_parse("sha256:", &digest, NULL), -EINVAL);
	cr_assert_eq(digest_parse("md5:" HEX_ABC, &digest, NULL), -EINVAL);
	cr_assert_eq(digest_parse(HEX_ABC "00", &digest, NULL), -EINVAL);
}
