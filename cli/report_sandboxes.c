#include "cli/report_sandboxes.h"

#include "base/str.h"
#include "cli/ranking.h"
#include "sandbox/gc.h"

#include <stdlib.h>
#include <string.h>

/* That a sandbox has a content. */
struct report_use {
	const char *sha256; /* its lease's */
	size_t sandbox;     /* index */
	bool known;
	uint64_t size;
};

static bool counts(const struct fetchfs_lease *lease)
{
	return leases_is_of_file(lease) || leases_is_pending(lease);
}

/* What others were given is theirs, and root's to know. */
static bool may_tell(const struct fetchfs_lease *lease, uid_t uid)
{
	return lease->uri && *lease->uri && (uid == 0 || lease->uid == (int64_t)uid);
}

static void add_uri(struct report_sandbox *sandbox, const char *uri)
{
	for (size_t i = 0; i < REPORT_URIS; i++) {
		if (str_equal(sandbox->uris[i], uri))
			return;
		if (!sandbox->uris[i]) {
			sandbox->uris[i] = uri;
			return;
		}
	}
}

static void add_lease(struct report_sandboxes *sandboxes, const struct fetchfs_lease *lease)
{
	struct report_sandbox *sandbox = &sandboxes->items[sandboxes->count - 1];

	sandbox->files++;
	sandboxes->files++;
	if (may_tell(lease, sandboxes->uid))
		add_uri(sandbox, lease->uri);
	if (leases_knows_content(lease))
		sandboxes->uses[sandboxes->use_count++] = (struct report_use){
			.sha256 = lease->sha256, .sandbox = sandboxes->count - 1};
}

/* The leases of one directory. */
static void add_group(struct report_sandboxes *sandboxes, size_t from, size_t end)
{
	const struct fetchfs_lease *leases = sandboxes->leases.items;
	bool begun = false;

	for (size_t i = from; i < end; i++) {
		if (!counts(&leases[i]))
			continue;
		if (!begun)
			sandboxes->items[sandboxes->count++] =
				(struct report_sandbox){.first = &leases[i]};
		begun = true;
		add_lease(sandboxes, &leases[i]);
	}
}

static int compare_uses(const void *a, const void *b)
{
	const struct report_use *x = a, *y = b;
	int r = strcmp(x->sha256, y->sha256);

	return r != 0 ? r : (x->sandbox > y->sandbox) - (x->sandbox < y->sandbox);
}

/* In order, each once: an archive of which a sandbox has a hundred files is there once. */
static void sort_uses(struct report_sandboxes *sandboxes)
{
	struct report_use *uses = sandboxes->uses;
	size_t count = 0;

	if (sandboxes->use_count > 0)
		qsort(uses, sandboxes->use_count, sizeof(*uses), compare_uses);
	for (size_t i = 0; i < sandboxes->use_count; i++)
		if (count == 0 || compare_uses(&uses[count - 1], &uses[i]) != 0)
			uses[count++] = uses[i];
	sandboxes->use_count = count;
}

int report_sandboxes_load(
	struct fetchfs *fetchfs, uid_t uid, struct report_sandboxes *ret, struct err *err)
{
	struct leases *leases = &ret->leases;
	int r = leases_load(fetchfs, leases, err);

	if (r < 0)
		return r;
	ret->uid = uid;
	leases_sort(leases);
	ret->items = calloc(leases->count + 1, sizeof(*ret->items));
	ret->uses = calloc(leases->count + 1, sizeof(*ret->uses));
	if (!ret->items || !ret->uses)
		return err_oom(err);
	for (size_t from = 0, end; from < leases->count; from = end) {
		end = leases_group_end(leases, from);
		add_group(ret, from, end);
	}
	sort_uses(ret);
	return 0;
}

/* The first use of that content, or where it would be. */
static size_t find(const struct report_sandboxes *sandboxes, const char *sha256)
{
	size_t low = 0, high = sandboxes->use_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(sandboxes->uses[middle].sha256, sha256) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t report_sandboxes_see(struct report_sandboxes *sandboxes, const char *sha256, uint64_t size)
{
	size_t first = find(sandboxes, sha256), i = first;

	for (; i < sandboxes->use_count && str_equal(sandboxes->uses[i].sha256, sha256); i++) {
		sandboxes->uses[i].known = true;
		sandboxes->uses[i].size = size;
	}
	return i - first;
}

static int compare_sandboxes(const void *a, const void *b)
{
	const struct report_sandbox *x = a, *y = b;
	int r = (x->bytes < y->bytes) - (x->bytes > y->bytes);

	return r != 0 ? r : strcmp(x->first->directory, y->first->directory);
}

void report_sandboxes_sum(struct report_sandboxes *sandboxes)
{
	for (size_t i = 0; i < sandboxes->use_count; i++) {
		const struct report_use *use = &sandboxes->uses[i];
		struct report_sandbox *sandbox = &sandboxes->items[use->sandbox];

		sandbox->contents++;
		sandbox->unknown += !use->known;
		sandbox->bytes += use->size;
	}
	sandboxes->use_count = 0; /* what they refer to moves */
	if (sandboxes->count > 0)
		qsort(sandboxes->items, sandboxes->count, sizeof(*sandboxes->items),
			compare_sandboxes);
	for (size_t i = 0; i < sandboxes->count && i < RANKING_ROWS; i++)
		sandboxes->items[i].gone = gc_is_gone(sandboxes->items[i].first);
}

void report_sandboxes_release(struct report_sandboxes *sandboxes)
{
	leases_release(&sandboxes->leases);
	free(sandboxes->items);
	free(sandboxes->uses);
	*sandboxes = (struct report_sandboxes){.count = 0};
}
