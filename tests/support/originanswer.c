/* The answers of the scripted origin: files, in whole or in part, and words. */
#include "tests/support/originserver.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_SIZE ((size_t)256 * 1024)

/* ---- bodies ---- */

/* Until the client has gone or the server ends. */
void origin_wait_for_hangup(struct origin_answer *answer)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(answer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd fd = {.fd = info->connect_fd, .events = POLLRDHUP};

	while (!answer->server->quit && poll(&fd, 1, 50) == 0)
		;
}

/* How many of @wanted bytes the rate allows now; waits until it is at least one. */
static size_t throttle(struct origin_answer *answer, uint64_t sent, size_t wanted)
{
	for (;;) {
		struct timespec now;
		double seconds;
		uint64_t allowed;

		clock_gettime(CLOCK_MONOTONIC, &now);
		seconds = (double)(now.tv_sec - answer->began.tv_sec) +
			  (double)(now.tv_nsec - answer->began.tv_nsec) / 1e9;
		allowed = (uint64_t)((seconds + 0.01) * (double)answer->rate);
		if (allowed > sent)
			return allowed - sent < wanted ? (size_t)(allowed - sent) : wanted;
		origin_sleep_ms(5);
	}
}

static ssize_t give_body(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct origin_answer *answer = arg;
	ssize_t n;

	if (pos >= answer->length)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (pos >= answer->stop_at) {
		if (answer->stall)
			origin_wait_for_hangup(answer);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (max > answer->length - pos)
		max = (size_t)(answer->length - pos);
	if (max > answer->stop_at - pos)
		max = (size_t)(answer->stop_at - pos);
	if (answer->rate)
		max = throttle(answer, pos, max);
	max = tally_take(&answer->server->tally, max);
	n = pread(answer->fd, buf, max, (off_t)(answer->first + pos));
	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	for (ssize_t i = 0; answer->changed && i < n; i++)
		buf[i] ^= 1;
	if (answer->corrupt && answer->first + pos == 0)
		buf[0] ^= 1;
	answer->sent = pos + (uint64_t)n;
	return n;
}

void origin_add_header(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

enum MHD_Result origin_queue(
	struct origin_answer *answer, struct MHD_Response *response, unsigned int status)
{
	enum MHD_Result result;

	for (size_t i = 0; i < answer->extras; i++)
		origin_add_header(response, answer->extra[i].name, answer->extra[i].value);
	answer->status = status;
	result = MHD_queue_response(answer->connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result origin_answer_text(struct origin_answer *answer, unsigned int status)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "status %u\n", status);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		status == 304 ? 0 : (size_t)len, text, MHD_RESPMEM_MUST_COPY);

	origin_add_header(response, "Content-Type", "text/plain; charset=us-ascii");
	if (answer->location[0])
		origin_add_header(response, "Location", answer->location);
	if (answer->retry_after[0])
		origin_add_header(response, "Retry-After", answer->retry_after);
	else if ((status == 429 || status == 503) && !answer->crowded)
		origin_add_header(response, "Retry-After", "7");
	if (strcmp(answer->method, "HEAD") != 0)
		answer->sent = tally_take(&answer->server->tally, (size_t)len);
	return origin_queue(answer, response, status);
}

/* ---- files ---- */

const char *origin_request_header(const struct origin_answer *answer, const char *name)
{
	return MHD_lookup_connection_value(answer->connection, MHD_HEADER_KIND, name);
}

/* The status that the conditions of the request ask for, or 0. */
static unsigned int check_conditions(
	const struct origin_answer *answer, const char *etag, const char *modified)
{
	const char *none = origin_request_header(answer, "If-None-Match");
	const char *since = origin_request_header(answer, "If-Modified-Since");
	const char *match = origin_request_header(answer, "If-Match");
	const char *unmodified = origin_request_header(answer, "If-Unmodified-Since");

	if (answer->no_validators)
		return 0;
	if (match && strcmp(match, etag) != 0)
		return 412;
	if (!match && unmodified && strcmp(unmodified, modified) != 0)
		return 412;
	if (none && strcmp(none, etag) == 0)
		return 304;
	if (!none && since && strcmp(since, modified) == 0)
		return 304;
	return 0;
}

/* The part asked for, by "bytes=A-B", "bytes=A-" or "bytes=-N". The status: 200, 206 or 416. */
static unsigned int take_range(struct origin_answer *answer, uint64_t size)
{
	const char *text = origin_request_header(answer, "Range");
	char *end;
	uint64_t last;

	answer->length = size;
	if (!text || answer->no_ranges || strncmp(text, "bytes=", 6) != 0)
		return 200;
	text += 6;
	if (*text == '-') {
		last = strtoull(text + 1, NULL, 10);
		answer->first = last < size ? size - last : 0;
		answer->length = size - answer->first;
		return 206;
	}
	answer->first = strtoull(text, &end, 10);
	last = end[0] == '-' && end[1] ? strtoull(end + 1, NULL, 10) : size - 1;
	if (answer->first >= size)
		return 416;
	if (last >= size)
		last = size - 1;
	answer->length = last - answer->first + 1;
	if (answer->part_max && answer->length > answer->part_max)
		answer->length = answer->part_max;
	return 206;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static const char *content_type(const char *path)
{
	return ends_with(path, "/") || ends_with(path, ".html") ? "text/html"
								: "application/octet-stream";
}

static struct MHD_Response *file_response(struct origin_answer *answer, uint64_t size,
	const char *etag, const char *modified, bool part)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		answer->chunked ? MHD_SIZE_UNKNOWN : answer->length,
		answer->rate ? BLOCK_SIZE / 16 : BLOCK_SIZE, give_body, answer, NULL);
	char text[128];

	if (!answer->no_validators) {
		origin_add_header(response, "ETag", etag);
		origin_add_header(response, "Last-Modified", modified);
	}
	if (!answer->no_ranges)
		origin_add_header(response, "Accept-Ranges", "bytes");
	if (part) {
		uint64_t first = answer->first + (answer->wrong_range ? 1 : 0);

		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
			first + answer->length - 1, size);
		origin_add_header(response, "Content-Range", text);
	}
	origin_add_header(response, "Content-Type", content_type(answer->path));
	/* libmicrohttpd sends the end of the chunks even after an answer that has no body */
	if (answer->chunked && strcmp(answer->method, "HEAD") == 0)
		origin_add_header(response, "Connection", "close");
	return response;
}

/* As --folders says. */
static enum MHD_Result answer_folder(struct origin_answer *answer, const char *path)
{
	static const char page[] = "<!DOCTYPE html><title>a folder</title>\n";
	struct MHD_Response *response;

	if (!answer->server->folders)
		return origin_answer_text(answer, 404);
	if (answer->server->folders == 's' && !ends_with(path, "/")) {
		snprintf(answer->location, sizeof(answer->location), "%.*s/", PATH_SIZE - 2,
			answer->path);
		return origin_answer_text(answer, 301);
	}
	response = MHD_create_response_from_buffer(
		sizeof(page) - 1, (void *)(uintptr_t)page, MHD_RESPMEM_PERSISTENT);
	origin_add_header(response, "Content-Type", "text/html; charset=utf-8");
	return origin_queue(answer, response, 200);
}

static bool is_folder(const struct origin_answer *answer, const char *name)
{
	struct stat st;

	return fstatat(answer->server->root, name[1] ? name + 1 : ".", &st, 0) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* The file below the root that @path names, with a slash before it. */
static void find_name(const char *path, char ret[PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "%s%s", path, ends_with(path, "/") ? "index.html" : "");
	MHD_http_unescape(ret);
}

enum MHD_Result origin_answer_file(struct origin_answer *answer, const char *path)
{
	char name[PATH_SIZE];
	char etag[96];
	char modified[HTTP_DATE];
	struct stat st;
	unsigned int status;

	find_name(path, name);
	if (!name[0] || strstr(name, "/../"))
		return origin_answer_text(answer, 404);
	if (is_folder(answer, ends_with(path, "/") && answer->server->folders ? path : name))
		return answer_folder(answer, path);
	answer->fd = openat(answer->server->root, name + 1, O_RDONLY | O_CLOEXEC);
	if (answer->fd < 0 || fstat(answer->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return origin_answer_text(answer, 404);

	snprintf(etag, sizeof(etag), "%s\"%" PRIx64 ".%lx-%" PRIx64 "%s%x%s\"",
		answer->weak ? "W/" : "", (uint64_t)st.st_mtim.tv_sec,
		(unsigned long)st.st_mtim.tv_nsec, (uint64_t)st.st_size,
		answer->changing ? "-" : "", answer->changing ? ++answer->server->changes : 0,
		answer->changed ? "~" : "");
	origin_date(st.st_mtim.tv_sec, modified);
	status = check_conditions(answer, etag, modified);
	if (status == 304) { /* the headers are those of the file */
		answer->length = (uint64_t)st.st_size;
		return origin_queue(answer,
			file_response(answer, (uint64_t)st.st_size, etag, modified, false), 304);
	}
	if (status)
		return origin_answer_text(answer, status);
	status = take_range(answer, (uint64_t)st.st_size);
	if (status == 416)
		return origin_answer_text(answer, 416);
	clock_gettime(CLOCK_MONOTONIC, &answer->began);
	return origin_queue(answer,
		file_response(answer, (uint64_t)st.st_size, etag, modified, status == 206), status);
}
