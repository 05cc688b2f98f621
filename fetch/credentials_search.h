/* The search for the keys of one request to S3; the inside of credentials_s3.c. */
#ifndef FETCHFS_FETCH_CREDENTIALS_SEARCH_H
#define FETCHFS_FETCH_CREDENTIALS_SEARCH_H

#include "fetch/credentials.h"

/* What of the texts that a request refers to which one is. */
enum credentials_text { KEY_ID, SECRET, TOKEN, REGION, ENDPOINT, SOURCE_URI, SOURCE_TOKEN };

_Static_assert(SOURCE_TOKEN < CREDENTIALS_S3_TEXTS, "room for each");

struct search {
	const struct config *config;
	const struct origin *origin; /* or NULL */
	struct credentials *credentials;
	bool settled; /* the keys are those of the environment */
	struct err *err;
};

/* The value of the first of these that the environment has and that is not empty, or NULL; @b may
 * be NULL. */
const char *credentials_variable(const struct search *search, const char *a, const char *b);

/* @value, from malloc(), becomes the request's, unless there is one: what is looked at first
 * counts. */
void credentials_take(struct search *search, enum credentials_text text, char *value);

bool credentials_has_keys(const struct search *search);

/*
 * credentials_lent.c: where keys come from that are only lent; nobody is asked for them yet. By a
 * role, for who has a token of another identity; and by what lends them to all on a machine.
 */
int credentials_lent_by_identity(struct search *search);
int credentials_lent_by_machine(struct search *search);

#endif
