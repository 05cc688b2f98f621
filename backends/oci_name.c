#include "backends/oci_name.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPO_MAX 255 /* bytes, as registries have it */
#define TAG_MAX  128
#define LOWER    "abcdefghijklmnopqrstuvwxyz0123456789"
#define WORD     LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"

bool oci_digest_parse(const char *text, struct checksum *ret)
{
	size_t name = strcspn(text, ":");
	enum checksum_kind kind = checksum_kind_find(text, name);
	const char *hex = text + name + 1;

	if (!text[name] || (kind != CHECKSUM_SHA256 && kind != CHECKSUM_SHA512) ||
		!str_has_prefix(text, checksum_kind_name(kind)) ||
		strlen(hex) != 2 * checksum_size(kind) ||
		hex[strspn(hex, "0123456789abcdef")] != '\0')
		return false;
	return checksum_parse(text, ret, NULL) == 0;
}

/* The length of what stands between two parts of a name: '.', '_', "__" or any number of '-'. */
static size_t separator(const char *text)
{
	size_t dashes = strspn(text, "-");

	if (dashes > 0)
		return dashes;
	if (str_has_prefix(text, "__"))
		return 2;
	return *text == '.' || *text == '_';
}

static bool is_repo(const char *text)
{
	if (strlen(text) > REPO_MAX)
		return false;
	for (;;) {
		size_t len = strspn(text, LOWER);

		if (len == 0)
			return false;
		text += len;
		if (!*text)
			return true;
		len = *text == '/' ? 1 : separator(text);
		if (len == 0)
			return false;
		text += len;
	}
}

static bool is_tag(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= TAG_MAX && strspn(text, WORD) > 0 &&
	       strspn(text, WORD ".-") == len;
}

/* ":TAG", "@DIGEST" or ":TAG@DIGEST". */
static int take_reference(struct oci_name *name, char *text, struct err *err)
{
	char *digest = strchr(text, '@');

	if (digest)
		*digest++ = '\0';
	if (*text == ':' && !is_tag(text + 1))
		return err_set(err, ERR_USAGE, ENOENT, "no tag can be called so");
	if (digest && !oci_digest_parse(digest, &name->digest))
		return err_set(err, ERR_USAGE, EINVAL,
			"behind '@' there is a digest: sha256:HEX or sha512:HEX");
	name->reference = str_copy(digest ? digest : text + 1);
	name->is_named = true;
	return name->reference ? 0 : err_oom(err);
}

static int take_path(struct oci_name *name, char *path, struct err *err)
{
	char *mark = strpbrk(path, ":@");
	char *file = mark ? strchr(mark, '/') : NULL;
	int r;

	if (file)
		*file++ = '\0';
	if (file && *file) {
		name->file = str_copy(file);
		if (!name->file)
			return err_oom(err);
	}
	if (mark) {
		CLEANUP(str_freep) char *reference = str_copy(mark);

		r = reference ? take_reference(name, reference, err) : err_oom(err);
		if (r < 0)
			return r;
		*mark = '\0';
	} else {
		name->reference = str_copy("latest");
	}
	name->repo = str_copy(path);
	if (!name->repo || !name->reference)
		return err_oom(err);
	if (!is_repo(path) && (*path || mark))
		return err_set(err, ERR_USAGE, ENOENT, "no repository can be called so");
	return 0;
}

int oci_name_init(struct oci_name *ret, const struct uri *uri, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	size_t len;
	int r;

	*ret = (struct oci_name){.repo = NULL};
	if (uri->query)
		return err_set(err, ERR_USAGE, EINVAL,
			"the URI of a file in a registry has no query: '?' in a name is %%3F");
	r = uri_plain_path(uri, &path, err);
	if (r < 0)
		return r;
	len = strlen(path);
	if (len > 1 && path[len - 1] == '/')
		path[len - 1] = '\0';
	return take_path(ret, path + 1, err);
}

void oci_name_release(struct oci_name *name)
{
	free(name->repo);
	free(name->reference);
	free(name->file);
}
