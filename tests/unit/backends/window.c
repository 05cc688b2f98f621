/* How far the window of a connection is opened. */
#include "tests/unit/backends/fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/ioctl.h>

#define MIB ((uint64_t)1 << 20)

#define END      (64 * MIB)
#define PAUSE    (63 * MIB) /* what is between may wait on this side of the socket */
#define BOUND    (2 * MIB)
#define TRIES    8
#define QUIET_MS 100

/* Takes bytes up to END. */
struct ender {
	struct collect collect; /* first */
	int (*write)(struct sink *sink, const void *buf, size_t len, struct err *err);
	int port;
	bool tells; /* the backend knows early that the rest will not be taken */
};

/* How much waits in the socket that is connected to @port. */
static int waiting_from(int port)
{
	int waiting = 0;

	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);

		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
			ntohs(peer.sin_port) == port)
			return ioctl(fd, FIONREAD, &waiting) < 0 ? 0 : waiting;
	}
	return 0;
}

/* Until the server has sent all that it may. */
static void wait_until_full(int port)
{
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
	int64_t since = clock_monotonic_ms();
	int before = 0;

	while (clock_monotonic_ms() - since < QUIET_MS) {
		int waiting = waiting_from(port);

		if (waiting != before)
			since = clock_monotonic_ms();
		before = waiting;
		cr_assert_lt(since, deadline, "the server sends on and on");
		poll(NULL, 0, 1);
	}
}

static int take_until_end(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct ender *ender = (struct ender *)sink;
	uint64_t before = ender->collect.len;
	int r;

	if (before >= END)
		return err_set(err, ERR_CANCELLED, ECANCELED, "enough");
	if (ender->tells && before >= 8 * MIB)
		sink->end = END;
	r = ender->write(sink, buf, len, err);
	if (!ender->tells && before < PAUSE && ender->collect.len >= PAUSE)
		wait_until_full(ender->port);
	return r;
}

/* How many bytes behind END the origin sent. */
static uint64_t sent_in_vain(bool tells)
{
	WITH_FIXTURE(f);
	WITH_COLLECT(collect);
	struct ender ender = {.tells = tells};
	struct err err = ERR_INIT;
	uint64_t sent;

	collect.drop = true;
	ender.collect = collect;
	ender.write = collect.sink.write;
	ender.collect.sink.write = take_until_end;
	ender.port = atoi(strrchr(f.origin.base, ':') + 1);
	origin_add_sparse(&f.origin, "a", (off_t)(512 * MIB));
	cr_assert_eq(fixture_fetch(
			     &f, "/a", (struct backend_request){.offset = 0}, &ender.collect, &err),
		-ECANCELED);
	sent = origin_sent(&f.origin, "/a");
	cr_assert_geq(sent, END);
	return sent - END;
}

Test(window, what_will_not_be_taken_is_not_sent)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	/* on a busy machine much may come between two looks at the window: not each time */
	for (int i = 0; i < TRIES && least > BOUND; i++) {
		uint64_t vain = sent_in_vain(true);

		least = vain < least ? vain : least;
	}
	for (int i = 0; i < TRIES && most <= BOUND; i++) {
		uint64_t vain = sent_in_vain(false);

		most = vain > most ? vain : most;
	}
	cr_assert_leq(least, BOUND, "%llu bytes", (unsigned long long)least);
	cr_assert_gt(most, BOUND, "%llu bytes", (unsigned long long)most);
}
