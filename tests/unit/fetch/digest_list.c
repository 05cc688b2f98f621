#include "fetch/digest_list.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MD5_A    "0cc175b9c0f1b6a831c399e269772661"
#define SHA1_A   "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
#define SHA256_A "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define SHA256_B "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
#define SHA512_A                                                                                   \
	"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53"                         \
	"02860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75"

static char *copy(const char *text, size_t len)
{
	char *ret = malloc(len + 1);

	memcpy(ret, text, len);
	ret[len] = '\0';
	return ret;
}

static struct digest_list *parsed(const char *text)
{
	struct digest_list *list = NULL;
	struct err err = ERR_INIT;
	size_t len = strlen(text);

	cr_assert_eq(digest_list_parse(copy(text, len), len, &list, &err), 0, "%s", err.msg);
	return list;
}

static void refused_bytes(const char *text, size_t len, const char *why)
{
	struct digest_list *list = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(digest_list_parse(copy(text, len), len, &list, &err), -EINVAL, "%s", text);
	cr_assert_not_null(strstr(err.msg, why), "%s", err.msg);
}

static void refused(const char *text, const char *why)
{
	refused_bytes(text, strlen(text), why);
}

static void expect(const struct digest_list *list, const char *name, const char *expected)
{
	char text[CHECKSUM_TEXT_SIZE];
	struct checksum checksum;
	struct err err = ERR_INIT;
	int r = digest_list_find(list, name, &checksum, &err);

	if (!expected) {
		cr_assert_eq(r, -ENOENT, "%s", name);
		return;
	}
	cr_assert_eq(r, 0, "%s: %s", name, err.msg);
	checksum_format(&checksum, text);
	cr_assert_str_eq(text, expected);
}

Test(digest_list, every_form_is_read)
{
	CLEANUP(digest_list_freep)
	struct digest_list *list = parsed("# made by hand\n"
					  "\n"
					  "; of old\n" SHA256_A "  text\n" SHA512_A " *binary\n"
					  "" MD5_A "  ./dir/old name\r\n"
					  "SHA1 (in (brackets) = x) = " SHA1_A "\n"
					  "MD5(openssl)= " MD5_A "\n"
					  "\\" SHA256_A "  two\\nlines\\\\\n"
					  "\\SHA256 (re\\rturn) = " SHA256_A "\n"
					  "SIZE (text) = 17\n"
					  "deadbeef  crc\n" SHA256_B "  last, unterminated");

	expect(list, "text", "sha256:" SHA256_A);
	expect(list, "binary", "sha512:" SHA512_A);
	expect(list, "dir/old name", "md5:" MD5_A);
	expect(list, "./dir/old name", NULL);
	expect(list, "in (brackets) = x", "sha1:" SHA1_A);
	expect(list, "openssl", "md5:" MD5_A);
	expect(list, "two\nlines\\", "sha256:" SHA256_A);
	expect(list, "re\rturn", "sha256:" SHA256_A);
	expect(list, "crc", NULL);
	expect(list, "last, unterminated", "sha256:" SHA256_B);
	expect(list, "", NULL);
}

Test(digest_list, the_armour_of_a_signature_is_passed_over)
{
	CLEANUP(digest_list_freep)
	struct digest_list *list = parsed("-----BEGIN PGP SIGNED MESSAGE-----\n"
					  "Hash: SHA512\n"
					  "\n" SHA256_A "  a\n"
					  "- " SHA256_B "  dash\n"
					  "-----BEGIN PGP SIGNATURE-----\n"
					  "\n"
					  "iQIzBAEBCgAdFiEE\n" SHA256_B "  hidden\n"
					  "=abcd\n"
					  "-----END PGP SIGNATURE-----\n");

	expect(list, "a", "sha256:" SHA256_A);
	expect(list, "dash", "sha256:" SHA256_B);
	expect(list, "hidden", NULL);
}

Test(digest_list, the_best_kind_counts_and_a_contradiction_is_an_error)
{
	CLEANUP(digest_list_freep)
	struct digest_list *list = parsed(MD5_A "  a\n" SHA256_A "  a\n" SHA512_A "  a\n" SHA256_A
						"  ./a\n" SHA256_A "  b\n" SHA256_B "  b\n");
	struct checksum checksum;
	struct err err = ERR_INIT;

	expect(list, "a", "sha256:" SHA256_A);
	cr_assert_eq(digest_list_find(list, "b", &checksum, &err), -EINVAL);
	cr_assert_str_eq(err.msg, "two different sha256 for 'b'");
}

Test(digest_list, an_empty_one_lists_nothing)
{
	CLEANUP(digest_list_freep) struct digest_list *list = parsed("");

	expect(list, "a", NULL);
}

Test(digest_list, what_is_none_is_refused_with_its_line)
{
	static const char nul[] = SHA256_A "  a\n" SHA256_A "  b\0c\n";
	static const char binary[] = "\x7f"
				     "ELF\x02\x01\x01\x00\xff\xfe\n\n";
	char *text = str_printf("%s  %*s\n", SHA256_A, DIGEST_LIST_LINE_MAX, "x");

	refused("<html><body>404</body></html>\n", "line 1: neither a digest nor a comment");
	refused(SHA256_A "  a\n" SHA256_A " b\n", "line 2: neither");
	refused(SHA256_A "\n", "line 1: neither");
	refused(SHA256_A "  \n", "line 1: a digest without a name");
	refused("SHA256 () = " SHA256_A "\n", "line 1: a digest without a name");
	refused("SHA256 (a) = " MD5_A "\n", "line 1: the digest is not of the length");
	refused("SHA256 (a) = \n", "line 1: the digest is not of the length");
	refused("SHA256 (a) " SHA256_A "\n", "line 1: neither");
	refused("SHA256 (=", "line 1: neither");
	refused("SHA256 = (", "line 1: neither");
	refused("=", "line 1: neither");
	refused("\\", "line 1: neither");
	refused("\\" SHA256_A "  a\\tb\n", "line 1: an escape");
	refused("\\" SHA256_A "  a\\\n", "line 1: an escape");
	refused_bytes(nul, sizeof(nul) - 1, "line 2: it holds a NUL");
	refused_bytes(binary, sizeof(binary) - 1, "line 1: it holds a NUL");
	refused(text, "line 1: longer than");
	free(text);
}

Test(digest_list, a_huge_one_is_read_in_time)
{
	static const size_t count = 200000;
	CLEANUP(digest_list_freep) struct digest_list *list = NULL;
	char *text = malloc(count * 64);
	char *end = text;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < count; i++)
		end += sprintf(end, "%s  f%zu\n", MD5_A, i * 7919 % count);
	cr_assert_eq(digest_list_parse(text, (size_t)(end - text), &list, &err), 0, "%s", err.msg);
	for (size_t i = 0; i < count; i++) {
		char name[32];

		sprintf(name, "f%zu", i);
		expect(list, name, "md5:" MD5_A);
	}
}
