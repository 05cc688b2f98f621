/* Questions to a host, in its line: on which threads, and whose turn it is. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/str.h"
#include "base/uri.h"
#include "fs/question.h"
#include "fs/question_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define THREADS_MIN 4
#define HOST_FEW    4

/* One that is being asked. Guarded by fs->mu. */
struct asked_host {
	struct fs *fs;
	char *name;
	struct question *line; /* whose turn it is not yet */
	unsigned int threads;  /* that ask it, or soon will */
	UT_hash_handle hh;
};

static void put(struct question *question)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_request request = question_request(question);
	struct fetchfs *fetchfs = question->fs->fetchfs;
	struct err err = ERR_INIT;
	int r = -ECANCELED;

	(void)fault_hit("question.ask"); /* a file system may keep the thread for long */
	/* else its turn came too late */
	if (question_is_waited_for(question, 0))
		r = question->kind == ASK_LISTING ? fetchfs_folder_ask(fetchfs, &request, &err)
						  : fetchfs_stat(fetchfs, &request, &info, &err);
	if (r == 0)
		err = ERR_INIT; /* of what was tried on the way */
	question_finish(question, r < 0 ? NULL : &info, &err);
}

unsigned int question_threads(const struct fetchfs *fetchfs)
{
	unsigned int half = fetchfs_connections(fetchfs) / 2;

	return half > THREADS_MIN ? half : THREADS_MIN;
}

/* Half of all, a few when the others have a quarter, one when they have three. Under fs->mu. */
static bool may_have(const struct asked_host *host, unsigned int threads)
{
	unsigned int all = question_threads(host->fs->fetchfs);
	unsigned int others = host->fs->ask_threads - host->threads;

	if (others < all / 4)
		return threads <= all / 2;
	return threads <= (others < all / 4 * 3 ? HOST_FEW : 1);
}

/* One thread more for who has a line. Under fs->mu. */
static bool take_thread(struct asked_host *host)
{
	if (!host->line || !may_have(host, host->threads + 1))
		return false;
	host->threads++;
	host->fs->ask_threads++;
	return true;
}

/* The thread goes. Under fs->mu. */
static void give_thread_back(struct asked_host *host)
{
	struct fs *fs = host->fs;

	fs->ask_threads--;
	if (--host->threads > 0)
		return;
	HASH_DEL(fs->hosts, host);
	free(host->name);
	free(host);
}

/*
 * Whose turn it is; NULL: nobody's, or not on this thread, which is the host's no more.
 * *ret_another: the host has got another thread, too, since others have left some.
 */
static struct question *next_of(struct asked_host *host, bool *ret_another)
{
	struct question *question;
	WITH_LOCK(&host->fs->mu);

	*ret_another = false;
	question = host->line;
	if (question && may_have(host, host->threads)) {
		DL_DELETE(host->line, question);
		*ret_another = take_thread(host);
		return question;
	}
	give_thread_back(host);
	return NULL;
}

static void ask_host(void *arg)
{
	struct asked_host *host = arg;
	struct question *question;
	bool another;

	while ((question = next_of(host, &another))) {
		if (another && queue_push(host->fs->asks, ask_host, host, NULL) < 0) {
			WITH_LOCK(&host->fs->mu);
			give_thread_back(host); /* this one stays */
		}
		put(question);
	}
}

static char *host_name(const char *text)
{
	CLEANUP(uri_release) struct uri uri = {0};

	if (uri_parse(text, &uri, NULL) < 0)
		return str_copy(""); /* who is asked will say so */
	return str_printf("%s://%s:%s", uri.scheme, uri.host, uri.port ? uri.port : "");
}

/* The host called @name, which is consumed. NULL: out of memory. Under fs->mu. */
static struct asked_host *host_of(struct fs *fs, char *name)
{
	struct asked_host *host = NULL;

	if (name)
		HASH_FIND_STR(fs->hosts, name, host);
	if (name && !host)
		host = calloc(1, sizeof(*host));
	if (!host || host->name) {
		free(name);
		return host;
	}
	host->fs = fs;
	host->name = name;
	HASH_ADD_KEYPTR(hh, fs->hosts, host->name, strlen(host->name), host);
	return host;
}

void question_send(struct question *question)
{
	struct fs *fs = question->fs;
	char *name = host_name(question->wanted.uri);
	struct asked_host *host;
	struct err err = ERR_INIT;
	bool needs_thread = false;

	{
		WITH_LOCK(&fs->mu);
		host = host_of(fs, name);
		if (host) {
			DL_APPEND(host->line, question);
			needs_thread = take_thread(host);
		}
	}
	if (!host) {
		err_oom(&err);
		question_finish(question, NULL, &err);
	} else if (needs_thread && queue_push(fs->asks, ask_host, host, &err) < 0) {
		while ((question = next_of(host, &needs_thread)))
			question_finish(question, NULL, &err);
	}
}
