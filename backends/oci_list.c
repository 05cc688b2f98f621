#include "backends/oci_list.h"

#include "backends/oci_resolve.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void manifest_unrefp(struct oci_manifest **manifest)
{
	if (*manifest)
		oci_fact_unref(&(*manifest)->fact);
}

/* What is called next in a folder: its first name, and where another one begins. */
struct step {
	const char *name; /* not ended by a NUL */
	size_t len;
	bool is_folder;
	size_t next;
};

/* The names in a folder are sorted, and so is what is in each. false: there are no more. */
static bool step(
	const struct oci_manifest *manifest, const char *folder, size_t at, struct step *ret)
{
	size_t len = strlen(folder);
	size_t start = len ? len + 1 : 0;
	struct step found;

	if (at >= manifest->count ||
		(len > 0 && (!str_has_prefix(manifest->layers[at].name, folder) ||
				    manifest->layers[at].name[len] != '/')))
		return false;
	found.name = manifest->layers[at].name + start;
	found.len = strcspn(found.name, "/");
	found.is_folder = found.name[found.len] == '/';
	found.next = at + 1;
	while (found.next < manifest->count &&
		strncmp(manifest->layers[found.next].name, manifest->layers[at].name,
			start + found.len + found.is_folder) == 0 &&
		(found.is_folder ||
			str_equal(manifest->layers[found.next].name, manifest->layers[at].name)))
		found.next++;
	*ret = found;
	return true;
}

size_t oci_list_show(
	const struct oci_manifest *manifest, const char *name, char ret[OCI_LIST_SHOWN])
{
	size_t at = oci_manifest_below(manifest, name);
	size_t count = 0;
	size_t len = 0;
	struct step next;

	ret[0] = '\0';
	for (; step(manifest, name, at, &next); at = next.next, count++) {
		int n;

		if (len + 4 >= OCI_LIST_SHOWN)
			continue;
		n = snprintf(ret + len, OCI_LIST_SHOWN - len, "%s%.*s%s", count ? ", " : "",
			(int)next.len, next.name, next.is_folder ? "/" : "");
		if (n < 0 || (size_t)n >= OCI_LIST_SHOWN - len - 4) {
			/* the others are only counted */
			snprintf(ret + len, OCI_LIST_SHOWN - len, "%s", count ? " …" : "…");
			len = OCI_LIST_SHOWN;
			continue;
		}
		len += (size_t)n;
	}
	return count;
}

static int visit_step(const struct backend_request *request, const struct step *next,
	backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *name = strndup(next->name, next->len);
	CLEANUP(uri_release) struct uri child = {.text = NULL};
	int r = name ? uri_child(request->uri, name, &child, NULL) : -ENOMEM;

	if (r == -ENOMEM)
		return err_oom(err);
	if (r < 0) /* too long for a URI, with all that is before it */
		return 0;
	return visit(strrchr(child.path, '/') + 1, next->is_folder, arg, err);
}

static int list_manifest(struct oci_repo *oci, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(manifest_unrefp) struct oci_manifest *manifest = NULL;
	const char *folder = oci->name.file ? oci->name.file : "";
	struct step next;
	size_t at;
	int r = oci_resolve(oci, &manifest, err);

	if (r < 0)
		return r;
	at = oci_manifest_below(manifest, folder);
	if (at == manifest->count && oci->name.file)
		return oci_manifest_find(manifest, folder)
			       ? err_set(err, ERR_REMOTE, ENOTDIR, "it is no folder, but a file")
			       : err_set(err, ERR_REMOTE, ENOENT, "no such folder");
	for (; r == 0 && step(manifest, folder, at, &next); at = next.next)
		r = visit_step(oci->asked, &next, visit, arg, err);
	return r;
}

int oci_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(oci_repo_release) struct oci_repo oci;
	int r = oci_repo_init(&oci, env, request, NULL, err);

	if (r == 0 && oci.name.is_named)
		r = list_manifest(&oci, visit, arg, err);
	if (r < 0)
		return r;
	*ret = (struct remote){
		.size = SIZE_UNKNOWN,
		.validators.modified = TIME_UNKNOWN,
		.max_age = TIME_UNKNOWN,
	};
	return 0;
}
