/*
 * What the files of the scripted origin (originserver.c) share: the server, and one request on its
 * way from its path, by the behaviours in it, to an answer.
 */
#ifndef FETCHFS_TESTS_ORIGINSERVER_H
#define FETCHFS_TESTS_ORIGINSERVER_H

#include "tests/support/tally.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define EXTRA_MAX 4
#define PATH_SIZE 4096
#define HTTP_DATE 40

struct origin_server {
	int root;
	FILE *log;
	uint64_t rate;
	unsigned int latency_ms;
	bool no_ranges;
	bool chunked;
	char *tls_cert; /* PEM */
	char *tls_key;
	atomic_uint connections;
	atomic_uint changes;
	atomic_bool quit;
	unsigned int max_running; /* 0: any number */
	const char *retry_after;  /* of who is one too many, or "" */
	char folders;             /* how those answer: 'p'age, 's'lash, or 0: not at all */
	FILE *trace;
	struct tally tally;
};

/* A connection. */
struct peer {
	unsigned int number; /* from 1 on */
	bool met;            /* a request came over it */
};

/* One request: what its path asks for, and what has become of it. */
struct origin_answer {
	struct origin_server *server;
	struct MHD_Connection *connection;
	char method[8];
	char path[PATH_SIZE]; /* as it came */
	char range[64];
	unsigned int conn;
	bool counted;
	bool crowded; /* too many are under way */
	bool seen;    /* the headers; MHD closes the connection when it is answered at once */
	_Atomic uint64_t sent;

	const char *chain; /* of behaviours, from the one that is being applied */
	bool skip;         /* the next one is not applied */

	unsigned int status; /* 0: by the file */
	uint64_t rate;
	uint64_t part_max; /* bytes of a range; 0: all of it */
	uint64_t stop_at;  /* bytes of the body before it breaks off or stalls */
	bool corrupt;
	bool stall;
	bool hang;
	bool no_head;
	bool no_ranges;
	bool wrong_range;
	bool chunked;
	bool no_validators;
	bool weak;
	bool changing;
	bool changed;
	char retry_after[HTTP_DATE];
	char location[PATH_SIZE];
	struct {
		char name[64];
		char value[256];
	} extra[EXTRA_MAX];
	size_t extras;

	int fd;
	uint64_t first; /* byte of the file that the body begins with */
	uint64_t length;
	struct timespec began;
};

/* originbehave.c: the chain of behaviours in a path */

/*
 * Take one behaviour off the front of @path and note what it asks for: what is left, beginning with
 * '/', or NULL if the path names a file.
 */
const char *origin_behave(struct origin_answer *answer, const char *path);

void origin_sleep_ms(uint64_t ms);
void origin_date(time_t when, char ret[HTTP_DATE]);

/* originanswer.c: what is sent */

enum MHD_Result origin_answer_file(struct origin_answer *answer, const char *path);
enum MHD_Result origin_answer_text(struct origin_answer *answer, unsigned int status);
enum MHD_Result origin_queue(
	struct origin_answer *answer, struct MHD_Response *response, unsigned int status);
const char *origin_request_header(const struct origin_answer *answer, const char *name);
void origin_add_header(struct MHD_Response *response, const char *name, const char *value);

/* Until the client is gone, or the server is to end. */
void origin_wait_for_hangup(struct origin_answer *answer);

#endif
