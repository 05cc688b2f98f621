#include "tests/support/collect.h"

#include <errno.h>
#include <poll.h>

static int begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct collect *collect = (struct collect *)sink;

	collect->begun++;
	collect->remote = *remote;
	if (collect->fail_begin)
		return err_set(err, ERR_SPACE, ENOSPC, "the sink is full");
	return 0;
}

static int write_bytes(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct collect *collect = (struct collect *)sink;

	if (collect->fail_write)
		return err_set(err, ERR_SPACE, ENOSPC, "the sink is full");
	if (collect->slow_ms)
		poll(NULL, 0, (int)collect->slow_ms);
	if (!collect->drop) {
		unsigned char *bigger = realloc(collect->bytes, collect->len + len + 1);

		if (!bigger)
			return err_oom(err);
		collect->bytes = bigger;
		memcpy(bigger + collect->len, buf, len);
	}
	collect->len += len;
	return 0;
}

static int ask(struct sink *sink, struct err *err)
{
	struct collect *collect = (struct collect *)sink;

	if (++collect->polled >= collect->fail_poll && collect->fail_poll)
		return err_set(err, ERR_CANCELLED, EINTR, "nobody waits");
	return 0;
}

void collect_init(struct collect *collect)
{
	*collect = (struct collect){.sink = {begin, write_bytes, ask}};
}

void collect_release(struct collect *collect)
{
	free(collect->bytes);
}
