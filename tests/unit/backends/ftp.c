/* ftp, at a scripted server: whom it talks to, what it says, and what it believes. */
#include "tests/unit/backends/fixture.h"

#include "base/fd.h"
#include "tests/support/leash.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#define LOG_MAX   (1024 * 1024)
#define GOOD_SIZE 100096

static const struct backend_request whole;

struct server {
	struct backend_env *env;
	struct leash leash;
	char *dir;
	char *port_file;
	char *base; /* "ftp://127.0.0.1:PORT" */
	int port;
};

static void server_stop(struct server *server)
{
	registry_close(server->env);
	leash_stop(&server->leash);
	tmpdir_remove(server->dir);
	free(server->port_file);
	free(server->base);
}

static char *read_text(const char *path)
{
	char *text = NULL;

	return fd_read_file(AT_FDCWD, path, LOG_MAX, &text, NULL) == 0 ? text : NULL;
}

static void server_start(struct server *server)
{
	const struct registry_options options = {
		.connect_ms = PATIENCE_MS,
		.first_byte_ms = PATIENCE_MS,
		.stall_ms = PATIENCE_MS,
		.stall_rate = 1,
		.connections = 32,
		.per_host = 8,
	};
	CLEANUP(str_freep) char *text = NULL;
	struct err err = ERR_INIT;
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;

	server->dir = tmpdir_make();
	server->port_file = str_printf("%s/port", server->dir);
	leash_start(&server->leash, "python3 " FTPSERVER " \"$0\" \"$0.log\"", server->port_file);
	while (!(text = read_text(server->port_file)) && clock_monotonic_ms() < until)
		poll(NULL, 0, 10);
	cr_assert_not_null(text, "the server does not start");
	server->port = atoi(text);
	server->base = str_printf("ftp://127.0.0.1:%d", server->port);
	cr_assert_eq(registry_open(&options, &server->env, &err), 0, "%s", err.msg);
}

#define WITH_SERVER(name)                                                                          \
	CLEANUP(server_stop) struct server name = {.env = NULL};                                   \
	server_start(&name)

static struct uri uri_at(const struct server *server, const char *path)
{
	CLEANUP(str_freep) char *text = str_printf("%s%s", server->base, path);
	struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s", err.msg);
	return uri;
}

static int fetch(struct server *server, const char *path, struct backend_request request,
	struct collect *got, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = uri_at(server, path);

	request.uri = &uri;
	return ftp_backend.fetch(server->env, &request, &got->sink, err);
}

static int look(struct server *server, const char *path, struct remote *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = uri_at(server, path);

	return ftp_backend.stat(server->env, &(struct backend_request){.uri = &uri}, ret, err);
}

static bool is_good(const struct collect *collect, size_t offset, size_t len)
{
	if (collect->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (collect->bytes[i] != (unsigned char)(offset + i))
			return false;
	return true;
}

/* Whether the server heard @words at the start of a line. */
static bool heard(const struct server *server, const char *words)
{
	CLEANUP(str_freep) char *path = str_printf("%s.log", server->port_file);
	CLEANUP(str_freep) char *log = read_text(path);
	CLEANUP(str_freep) char *line = str_printf("\n%s", words);

	return log && strstr(log, line);
}

Test(ftp, arrives_whole_and_in_parts)
{
	WITH_SERVER(server);
	WITH_COLLECT(all);
	WITH_COLLECT(part);
	WITH_COLLECT(tail);
	struct err err = ERR_INIT;
	struct remote remote;

	cr_assert_eq(fetch(&server, "/good/a", whole, &all, &err), 0, "%s", err.msg);
	cr_assert(is_good(&all, 0, GOOD_SIZE));
	cr_assert_eq(all.remote.size, GOOD_SIZE);
	cr_assert(all.remote.ranges);
	cr_assert_eq(fetch(&server, "/good/a",
			     (struct backend_request){.offset = 1000, .length = 5000}, &part, &err),
		0, "%s", err.msg);
	cr_assert(is_good(&part, 1000, 5000));
	cr_assert_eq(part.remote.size, GOOD_SIZE);
	cr_assert_str_eq(part.remote.validators.etag, all.remote.validators.etag);
	cr_assert_eq(
		fetch(&server, "/good/a", (struct backend_request){.offset = 99000}, &tail, &err),
		0, "%s", err.msg);
	cr_assert(is_good(&tail, 99000, GOOD_SIZE - 99000));
	cr_assert_eq(look(&server, "/good/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_str_eq(remote.validators.etag, all.remote.validators.etag);
	cr_assert_eq(remote.validators.modified, 1577836800);
}

static int confirm(
	struct server *server, const char *path, const struct remote *told, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = uri_at(server, path);

	return ftp_backend.confirm(server->env, &(struct backend_request){.uri = &uri}, told, err);
}

Test(ftp, what_changed_while_it_came_is_not_confirmed)
{
	WITH_SERVER(server);
	WITH_COLLECT(same);
	WITH_COLLECT(other);
	WITH_COLLECT(longer);
	WITH_COLLECT(gone);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&server, "/good/a", whole, &same, &err), 0, "%s", err.msg);
	cr_assert_eq(confirm(&server, "/good/a", &same.remote, &err), 0, "%s", err.msg);
	cr_assert_eq(fetch(&server, "/swap/1000", whole, &other, &err), 0, "%s", err.msg);
	cr_assert_eq(confirm(&server, "/swap/1000", &other.remote, &err), -ESTALE);
	cr_assert_eq(fetch(&server, "/grow/1000", whole, &longer, &err), 0, "%s", err.msg);
	longer.remote.validators = (struct validators){.modified = TIME_UNKNOWN};
	cr_assert_eq(confirm(&server, "/grow/1000", &longer.remote, &err), -ESTALE);
	cr_assert_eq(fetch(&server, "/gone/1000", whole, &gone, &err), 0, "%s", err.msg);
	cr_assert_eq(confirm(&server, "/gone/1000", &gone.remote, &err), -ENOENT);
}

Test(ftp, part_of_another_version_is_stale_and_the_same_is_unchanged)
{
	WITH_SERVER(server);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;
	struct remote remote;
	struct validators other;

	cr_assert_eq(look(&server, "/good/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(fetch(&server, "/good/a",
			     (struct backend_request){.known = &remote.validators}, &got, &err),
		0, "%s", err.msg);
	cr_assert(got.remote.unchanged);
	cr_assert_eq(got.len, 0);
	cr_assert(!heard(&server, "RETR"));
	other = remote.validators; /* of the same time, and another size */
	other.etag[strlen(other.etag) - 2] = 'f';
	cr_assert_eq(
		fetch(&server, "/good/a",
			(struct backend_request){.known = &other, .offset = 1000, .length = 1000},
			&got, &err),
		-ESTALE);
	cr_assert_eq(got.len, 0);
}

Test(ftp, folder_is_told_from_what_is_not_there)
{
	WITH_SERVER(server);
	struct err err = ERR_INIT;
	struct remote remote;

	cr_assert_eq(look(&server, "/missing/a", &remote, &err), -ENOENT);
	cr_assert_eq(look(&server, "/facts", &remote, &err), -EISDIR);
	cr_assert_eq(look(&server, "/facts/", &remote, &err), -EISDIR);
}

Test(ftp, control_characters_reach_no_server)
{
	static const char *const users[] = {"me\r\nDELE x", "me\n", "\x01"};
	WITH_SERVER(server);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(users); i++) {
		struct access access = {
			.prefix = server.base,
			.user = i % 2 ? "me" : users[i / 2],
			.password = i % 2 ? users[i / 2] : "x",
		};

		cr_assert_eq(fetch(&server, "/good/a", (struct backend_request){.access = &access},
				     &got, &err),
			-EINVAL);
	}
	cr_assert_eq(fetch(&server, "/a%0D%0ADELE%20b", whole, &got, &err), -EINVAL);
	cr_assert_eq(fetch(&server, "/a%7Fb", whole, &got, &err), -EINVAL);
	cr_assert_eq(fetch(&server, "/a%00b", whole, &got, &err), -EINVAL);
	cr_assert_eq(fetch(&server, "/a/..%2F..%2Fb", whole, &got, &err), -EINVAL);
	cr_assert_eq(fetch(&server, "/a%2F", whole, &got, &err), -EISDIR);
	cr_assert(!heard(&server, ""), "somebody was there");
}

/* ---- policy ---- */

struct watch {
	int control;      /* the port of the server */
	int controls;     /* how often it was asked for */
	int others;       /* how often any other one was */
	bool refuse_data; /* that is any other one */
};

struct watched {
	struct guard guard; /* first */
	struct watch *watch;
};

static int allow_uri(const struct guard *guard, const struct uri *uri, struct err *err)
{
	(void)guard;
	(void)uri;
	(void)err;
	return 0;
}

static int watch_address(const struct guard *guard, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	struct watch *watch = ((const struct watched *)guard)->watch;
	int port = ntohs(((const struct sockaddr_in *)address)->sin_port);

	(void)uri;
	cr_assert_eq(address->sa_family, AF_INET);
	if (port == watch->control)
		watch->controls++;
	else
		watch->others++;
	if (port != watch->control && watch->refuse_data)
		return err_set(err, ERR_POLICY, EACCES, "no data");
	return 0;
}

Test(ftp, policy_is_asked_for_each_connection_and_again_when_it_serves_another)
{
	WITH_SERVER(server);
	WITH_COLLECT(one);
	WITH_COLLECT(two);
	struct err err = ERR_INIT;
	struct watch watch = {.control = server.port};
	struct watched watched = {{allow_uri, watch_address}, &watch};
	struct backend_request request = {.guard = &watched.guard};

	cr_assert_eq(fetch(&server, "/good/a", request, &one, &err), 0, "%s", err.msg);
	cr_assert_eq(watch.controls, 1);
	cr_assert_eq(watch.others, 1);
	cr_assert_eq(fetch(&server, "/good/b", request, &two, &err), 0, "%s", err.msg);
	cr_assert_eq(watch.controls, 2);
	cr_assert_eq(watch.others, 2);
	cr_assert(!heard(&server, "open 2"), "another connection");
}

Test(ftp, data_that_policy_forbids_does_not_come)
{
	WITH_SERVER(server);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;
	struct watch watch = {.control = server.port, .refuse_data = true};
	struct watched watched = {{allow_uri, watch_address}, &watch};

	cr_assert_eq(fetch(&server, "/good/a", (struct backend_request){.guard = &watched.guard},
			     &got, &err),
		-EACCES);
	cr_assert_str_eq(err.msg, "no data");
	cr_assert_eq(err.kind, ERR_POLICY);
	cr_assert_eq(got.len, 0);
	cr_assert(!heard(&server, "RETR"));
}

/* ---- waiting ---- */

Test(ftp, who_does_not_want_it_any_more_is_let_go_at_once)
{
	WITH_SERVER(server);
	WITH_COLLECT(stalled);
	WITH_COLLECT(silent);
	struct err err = ERR_INIT;
	int64_t began = clock_monotonic_ms();

	stalled.fail_poll = 3;
	cr_assert_eq(fetch(&server, "/stall/a", whole, &stalled, &err), -EINTR);
	/* curl waits for the last word of the server by itself, a second at a time */
	silent.fail_poll = 3;
	cr_assert_eq(fetch(&server, "/silent/a", whole, &silent, &err), -EINTR);
	cr_assert(is_good(&silent, 0, GOOD_SIZE));
	cr_assert_lt(clock_monotonic_ms() - began, 20000);
}

Test(ftp, silence_after_the_last_byte_is_limited)
{
	WITH_SERVER(server);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	server.env->stall_ms = 1500;
	cr_assert_eq(fetch(&server, "/silent/a", whole, &got, &err), -ETIMEDOUT);
	cr_assert(err.retry);
	cr_assert(is_good(&got, 0, GOOD_SIZE));
}

Test(ftp, slow_sink_is_no_slow_server)
{
	WITH_SERVER(server);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	server.env->stall_ms = 1000;
	got.slow_ms = 1500;
	cr_assert_eq(fetch(&server, "/good/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(is_good(&got, 0, GOOD_SIZE));
}

/* ---- folders ---- */

static int join(const char *segment, bool is_folder, void *arg, struct err *err)
{
	char *text = arg;

	(void)err;
	strcat(text, segment);
	strcat(text, is_folder ? "/ " : " ");
	return 0;
}

Test(ftp, names_of_a_folder_are_those_of_its_files)
{
	WITH_SERVER(server);
	CLEANUP(uri_release) struct uri uri = uri_at(&server, "/hostile/");
	CLEANUP(uri_release) struct uri gone = uri_at(&server, "/gone/");
	CLEANUP(uri_release) struct uri file = uri_at(&server, "/hostile");
	struct backend_request request = {.uri = &uri};
	struct err err = ERR_INIT;
	struct remote remote;
	char text[4096] = "";

	cr_assert_eq(ftp_backend.list(server.env, &request, &remote, join, text, &err), 0, "%s",
		err.msg);
	cr_assert(str_has_prefix(text, "good folder/ link xxx"), "%s", text);
	cr_assert_not_null(
		strstr(text, "x a%20b+c%2541%3F%23%3Btype=a back%5Cslash %C3%84 "), "%s", text);
	cr_assert_null(strstr(text, "passwd"), "%s", text);
	request.uri = &gone;
	cr_assert_eq(ftp_backend.list(server.env, &request, &remote, join, text, &err), -ENOENT);
	request.uri = &file;
	cr_assert_eq(ftp_backend.list(server.env, &request, &remote, join, text, &err), -ENOTDIR);
}
