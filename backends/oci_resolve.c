#include "backends/oci_resolve.h"

#include "backends/oci_answer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define DEPTH_MAX 4 /* indexes in indexes */
#define TYPE_SIZE 128
#define KEPT_MS   (10 * 60 * 1000) /* then who asks must be let in anew */
#define GLANCE_MS 2000 /* so old what a tag stood for may be for who does not want its bytes */

/* ---- which platform ---- */

void oci_platform(const char *machine, char ret[OCI_PLATFORM_SIZE])
{
	static const struct {
		const char *machine; /* as uname() has it, … */
		const char *name;    /* … and GOARCH with GOARM */
	} names[] = {
		{"x86_64", "amd64"},
		{"aarch64", "arm64"},
		{"armv8l", "arm/v7"},
		{"armv7l", "arm/v7"},
		{"armv6l", "arm/v6"},
		{"armv5tel", "arm/v5"},
		{"i386", "386"},
		{"i486", "386"},
		{"i586", "386"},
		{"i686", "386"},
		{"loongarch64", "loong64"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_equal(machine, names[i].machine))
			machine = names[i].name;
	snprintf(ret, OCI_PLATFORM_SIZE, "linux/%.50s", machine);
}

static const char *platform_of(const struct oci_repo *oci, char buf[OCI_PLATFORM_SIZE])
{
	struct utsname machine;

	if (oci->access->platform)
		return oci->access->platform;
	if (uname(&machine) < 0)
		return "linux/amd64";
	oci_platform(machine.machine, buf);
	return buf;
}

/* ---- one document ---- */

/* What the headers of an answer say. */
struct said {
	char type[TYPE_SIZE];
	struct checksum digest; /* or none */
};

static int on_told(struct oci_question *question, const struct transfer *transfer,
	struct remote *remote, struct err *err)
{
	const char *type = transfer_header(transfer, "Content-Type");
	const char *digest = transfer_header(transfer, "Docker-Content-Digest");
	struct said *said = question->arg;

	(void)err;
	if (type)
		str_fit(said->type, sizeof(said->type), type);
	if (digest && !oci_digest_parse(digest, &said->digest))
		said->digest.kind = CHECKSUM_NONE;
	/* else what is too long would be asked for as a whole, to be dropped */
	(void)remote;
	return 0;
}

/* Its bytes must be what it is asked for as; and what a tag stands for, what the answer says. */
static int verify(const struct oci_answer *answer, const struct said *said,
	const struct checksum *wanted, struct checksum *ret, struct err *err)
{
	const struct checksum *must_be = wanted->kind != CHECKSUM_NONE ? wanted : &said->digest;
	enum checksum_kind kind = must_be->kind != CHECKSUM_NONE ? must_be->kind : CHECKSUM_SHA256;
	int r = checksum_buffer(kind, answer->text ? answer->text : "", answer->len, ret, err);

	if (r == 0 && must_be->kind != CHECKSUM_NONE)
		r = checksum_check(ret, must_be, err);
	return r < 0 && r != -ENOMEM ? err_context(err, "the manifest") : r;
}

/* @size: what the index says, or SIZE_UNKNOWN. */
static int ask_document(struct oci_repo *oci, const char *reference, const struct checksum *wanted,
	int64_t size, struct oci_document *ret, struct checksum *ret_digest, struct err *err)
{
	CLEANUP(oci_answer_release) struct oci_answer answer;
	char platform[OCI_PLATFORM_SIZE];
	struct said said = {.type = ""};
	struct oci_question question = {
		.accept = OCI_MANIFEST_TYPES, .told = on_told, .arg = &said};
	int r;

	oci_answer_init(&answer, OCI_MANIFEST_MAX, oci_repo_poll, oci);
	answer.ret_queued = oci->sink ? &oci->sink->queued : NULL;
	r = oci_ask(oci, &question, "manifests", reference, &answer.sink, NULL, err);
	if (r == 0)
		r = oci_document_check_type(said.type, err);
	if (r == 0 && size != SIZE_UNKNOWN && (uint64_t)size != answer.len)
		r = err_set(err, ERR_INTEGRITY, EBADMSG,
			"the manifest has %zu bytes, and not %lld as its index says", answer.len,
			(long long)size);
	if (r == 0)
		r = verify(&answer, &said, wanted, ret_digest, err);
	if (r < 0)
		return r;
	return oci_document_read(
		answer.text ? answer.text : "", answer.len, platform_of(oci, platform), ret, err);
}

/* Through indexes to a manifest. */
static int ask_manifest(struct oci_repo *oci, struct oci_manifest **ret, struct err *err)
{
	struct oci_document document;
	struct checksum top;
	struct checksum digest;
	int r = ask_document(
		oci, oci->name.reference, &oci->name.digest, SIZE_UNKNOWN, &document, &top, err);

	for (int depth = 0; r == 0 && !document.manifest; depth++) {
		const struct checksum chosen = document.chosen;
		char text[CHECKSUM_TEXT_SIZE];

		if (depth == DEPTH_MAX)
			return err_set(err, ERR_REMOTE, EBADMSG,
				"more than %d indexes in each other", DEPTH_MAX);
		checksum_format(&chosen, text);
		r = ask_document(oci, text, &chosen, document.size, &document, &digest, err);
	}
	if (r < 0)
		return r;
	document.manifest->digest = top;
	document.manifest->confirmed = clock_monotonic_ms();
	document.manifest->fact.until = document.manifest->confirmed + KEPT_MS;
	*ret = document.manifest;
	return 0;
}

/* ---- what is known ---- */

/* `ls -l` wants to know of each file, and all are in one manifest. */
static bool is_recent(const struct oci_repo *oci, const struct oci_manifest *manifest)
{
	return !oci->sink && !oci->asked->no_cache &&
	       clock_monotonic_ms() - manifest->confirmed < GLANCE_MS;
}

/* Whether a tag still stands for @manifest. 1, 0; or -errno: nobody can be asked. */
static int is_current(struct oci_repo *oci, struct oci_manifest *manifest, struct err *err)
{
	struct said said = {.type = ""};
	struct oci_question question = {
		.accept = OCI_MANIFEST_TYPES, .told = on_told, .arg = &said};
	struct err why = ERR_INIT;
	int64_t began = clock_monotonic_ms();
	struct remote remote;
	int r = oci_ask(oci, &question, "manifests", oci->name.reference, NULL, &remote, &why);

	/* why it refuses is told to GET */
	if (r < 0 && why.kind == ERR_REMOTE && !why.retry)
		return 0;
	if (r < 0 && err)
		*err = why;
	if (r < 0 || !checksum_equal(&said.digest, &manifest->digest))
		return r;
	manifest->confirmed = began;
	return 1;
}

static char *key_of(const struct oci_repo *oci)
{
	char platform[OCI_PLATFORM_SIZE];

	return str_printf("manifest %s %s %s %s %s", oci->endpoint, oci->name.repo,
		oci->name.reference, platform_of(oci, platform), oci->identity);
}

/* Ask for it; all who want it meanwhile get what comes. */
static int find_out(
	struct oci_repo *oci, const char *key, struct oci_manifest **ret, struct err *err)
{
	struct oci_memory *memory = oci->env->oci_memory;
	struct oci_manifest *manifest = NULL;
	struct oci_fact *known = NULL;
	struct err why = ERR_INIT;
	int r = oci_memory_find(memory, key, oci_repo_poll, oci, &known, err);

	if (r == 1)
		*ret = (struct oci_manifest *)known;
	if (r != 0)
		return r < 0 ? r : 0;
	r = ask_manifest(oci, &manifest, &why);
	oci_memory_tell(memory, key, r < 0 ? NULL : &manifest->fact, r < 0 ? &why : NULL);
	if (r < 0 && err)
		*err = why;
	if (r == 0)
		*ret = manifest;
	return r;
}

int oci_resolve(struct oci_repo *oci, struct oci_manifest **ret, struct err *err)
{
	struct oci_memory *memory = oci->env->oci_memory;
	CLEANUP(str_freep) char *key = key_of(oci);
	struct oci_manifest *known;
	int r;

	if (!key)
		return err_oom(err);
	known = (struct oci_manifest *)oci_memory_peek(memory, key);
	if (known) {
		r = 1;
		if (oci->name.digest.kind == CHECKSUM_NONE && !is_recent(oci, known))
			r = is_current(oci, known, err);
		if (r == 1) {
			*ret = known;
			return 0;
		}
		oci_memory_forget(memory, key, &known->fact);
		oci_fact_unref(&known->fact);
		if (r < 0)
			return r;
	}
	return find_out(oci, key, ret, err);
}
