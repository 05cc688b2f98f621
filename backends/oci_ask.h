/*
 * Questions to one registry about one repository, with what opens its doors: asked as anybody, and
 * if the registry wants more than that, once more with it.
 */
#ifndef FETCHFS_BACKENDS_OCI_ASK_H
#define FETCHFS_BACKENDS_OCI_ASK_H

#include "backends/http.h"
#include "backends/oci_challenge.h"
#include "backends/oci_login.h"
#include "backends/oci_name.h"

#define OCI_IDENTITY_SIZE DIGEST_HEX_SIZE

/* What one URI is about. */
struct oci_repo {
	const struct backend_env *env;
	const struct backend_request *asked;
	const struct access_oci *access; /* never NULL */
	struct sink *sink; /* is polled while small answers are waited for; NULL: the request is */
	struct oci_name name;
	char *endpoint;                   /* ends in '/' */
	char *without_tls;                /* NULL, or what to do if the registry has none */
	char identity[OCI_IDENTITY_SIZE]; /* who asks: a hash of all that opens doors */
};

/* For oci_repo_release(), whatever is returned. @asked must outlive it. */
int oci_repo_init(struct oci_repo *oci, const struct backend_env *env,
	const struct backend_request *asked, struct sink *sink, struct err *err);
void oci_repo_release(struct oci_repo *oci);

/* Whether anybody waits still. @arg: a struct oci_repo. */
int oci_repo_poll(void *arg, struct err *err);

/* One question. */
struct oci_question {
	struct http_dialect dialect; /* first, so that it is the question */
	const struct oci_repo *oci;
	const char *accept; /* types, or NULL */
	uint64_t offset;    /* see struct backend_request */
	uint64_t length;

	/* See struct http_dialect; or NULL. */
	int (*told)(struct oci_question *question, const struct transfer *transfer,
		struct remote *remote, struct err *err);
	void *arg;

	/* the inside */
	struct oci_login *login; /* or NULL */
	struct oci_challenge challenge;
};

/*
 * Ask for PATH below "v2/REPOSITORY/": "blobs/DIGEST". @sink: NULL for the headers only (HEAD),
 * which *ret is made of; else NULL for @ret. Of @question accept, offset, length, told and arg are
 * the caller's to fill in, the rest is ours.
 */
int oci_ask(struct oci_repo *oci, struct oci_question *question, const char *kind,
	const char *reference, struct sink *sink, struct remote *ret, struct err *err);

#endif
