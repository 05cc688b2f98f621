/* Which request gets which connection, and when. */
#include "backends/lines.h"

#include "backends/lines_private.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_MS 30000 /* servers count connections, also those that do nothing */
#define WAIT_MS 100   /* how often who waits is asked whether it still wants to */

struct lines {
	pthread_mutex_t mu;
	pthread_cond_t freed; /* one may be taken */
	unsigned int connections;
	unsigned int per_host;
	/* guarded by mu */
	struct line *all;
};

int lines_new(unsigned int connections, unsigned int per_host, struct lines **ret, struct err *err)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	if (!lines)
		return err_oom(err);
	pthread_mutex_init(&lines->mu, NULL);
	clock_cond_init(&lines->freed);
	lines->connections = connections;
	lines->per_host = per_host < LINES_PER_HOST ? per_host : LINES_PER_HOST;
	*ret = lines;
	return 0;
}

static void free_all(struct line *line)
{
	while (line) {
		struct line *next = line->next;

		line_free(line);
		line = next;
	}
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	free_all(lines->all);
	pthread_cond_destroy(&lines->freed);
	pthread_mutex_destroy(&lines->mu);
	free(lines);
}

static struct line *unlink_line(struct lines *lines, struct line *line)
{
	for (struct line **at = &lines->all; *at; at = &(*at)->next)
		if (*at == line) {
			*at = line->next;
			break;
		}
	line->next = NULL;
	return line;
}

/* Those that are to be closed, off the list. Under mu. */
static struct line *take_old(struct lines *lines, int64_t now)
{
	struct line *old = NULL;
	struct line *next;

	for (struct line *line = lines->all; line; line = next) {
		next = line->next;
		if (line->busy || now - line->idle_since < IDLE_MS)
			continue;
		unlink_line(lines, line)->next = old;
		old = line;
	}
	return old;
}

void lines_sweep(struct lines *lines, int64_t now)
{
	struct line *old;

	pthread_mutex_lock(&lines->mu);
	old = take_old(lines, now);
	pthread_mutex_unlock(&lines->mu);
	free_all(old);
}

/* ---- the turn of a request ---- */

static char *host_of(const struct uri *uri)
{
	return str_printf("%s://%s:%s", uri->scheme, uri->host, uri->port ? uri->port : "");
}

/* All that tells one login from another, each on a line of its own; "\r" stands for none. */
static char *key_of(const struct transfer_request *request)
{
	const struct uri *uri = request->uri;
	const struct access *access = request->access;
	bool is_for_it = access && uri_is_below(access->prefix, uri->text);
	const char *const parts[] = {uri->user, uri->password, is_for_it ? access->user : NULL,
		is_for_it ? access->password : NULL, is_for_it ? access->netrc : NULL,
		is_for_it ? access->client_cert : NULL, request->proxy,
		request->ftp_tls ? "tls" : NULL};
	char *key = host_of(uri);

	for (size_t i = 0; key && i < ARRAY_SIZE(parts); i++) {
		char *longer = str_printf("%s\n%s", key, parts[i] ? parts[i] : "\r");

		explicit_bzero(key, strlen(key));
		free(key);
		key = longer;
	}
	return key;
}

/* What there is, seen by who wants one more. */
struct survey {
	struct line *same;    /* idle, and logged in as wanted */
	struct line *other;   /* idle, at the same host */
	struct line *any;     /* idle, elsewhere, for longest */
	unsigned int at_host; /* all */
	unsigned int count;
};

static struct survey look(const struct lines *lines, const char *host, const char *key)
{
	struct survey survey = {.count = 0};

	for (struct line *line = lines->all; line; line = line->next) {
		bool here = str_equal(line->host, host);

		survey.count++;
		survey.at_host += here;
		if (line->busy)
			continue;
		if (str_equal(line->key, key))
			survey.same = line;
		else if (here)
			survey.other = line;
		else if (!survey.any || line->idle_since < survey.any->idle_since)
			survey.any = line;
	}
	return survey;
}

/* Off the list, to be closed when the mutex is let go. */
static void put_out(struct lines *lines, struct line *line, struct line **old)
{
	unlink_line(lines, line)->next = *old;
	*old = line;
}

/*
 * 1: *ret is the one to use. 0: there is none to be had now. Of those that were in the way, *old is
 * a list, to be closed. A new one is made under the mutex: that needs no network. Under mu.
 */
static int choose(struct lines *lines, const char *host, const char *key, struct line **ret,
	struct line **old, struct err *err)
{
	struct survey survey = look(lines, host, key);
	bool host_is_full;
	struct line *out;
	int r;

	while (survey.same && !line_is_quiet(survey.same)) {
		put_out(lines, survey.same, old);
		survey = look(lines, host, key);
	}
	if (survey.same) {
		survey.same->busy = true;
		*ret = survey.same;
		return 1;
	}
	host_is_full = survey.at_host >= lines->per_host;
	if (host_is_full || survey.count >= lines->connections) {
		out = survey.other || host_is_full ? survey.other : survey.any;
		if (!out)
			return 0;
		put_out(lines, out, old);
	}
	r = line_new(host, key, ret, err);
	if (r < 0)
		return r;
	(*ret)->busy = true;
	(*ret)->next = lines->all;
	lines->all = *ret;
	return 1;
}

/* Under mu. */
static void wait_for_one(struct lines *lines)
{
	struct timespec until = clock_monotonic_in(WAIT_MS);

	pthread_cond_timedwait(&lines->freed, &lines->mu, &until);
}

static int wait_for_turn(struct lines *lines, const struct transfer_request *request,
	const char *host, const char *key, struct line **ret, struct err *err)
{
	struct line *old = NULL;
	int got = 0;
	int r = 0;

	while (r == 0 && got == 0) {
		pthread_mutex_lock(&lines->mu);
		got = choose(lines, host, key, ret, &old, err);
		if (got == 0)
			wait_for_one(lines);
		pthread_mutex_unlock(&lines->mu);
		if (request->ret_queued)
			*request->ret_queued = got == 0;
		if (got == 0)
			r = request->on_poll(request->arg, err);
	}
	free_all(old);
	return got < 0 ? got : r;
}

static int take(struct lines *lines, const struct transfer_request *request, struct line **ret,
	struct err *err)
{
	CLEANUP(str_freep) char *host = host_of(request->uri);
	char *key = key_of(request);
	int r = host && key ? 0 : err_oom(err);

	lines_sweep(lines, clock_monotonic_ms());
	if (r == 0)
		r = wait_for_turn(lines, request, host, key, ret, err);
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	return r;
}

static void put(struct lines *lines, struct line *line)
{
	WITH_LOCK(&lines->mu);

	line->busy = false;
	line->idle_since = clock_monotonic_ms();
	pthread_cond_broadcast(&lines->freed);
}

int lines_run(struct lines *lines, const struct transfer_request *request, struct err *err)
{
	struct line *line;
	int r = take(lines, request, &line, err);

	if (r < 0)
		return r;
	r = line_run(line, request, err);
	put(lines, line);
	return r;
}
