#include "backends/oci_answer.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 60000 /* however slowly it drips */
#define ROOM_MIN ((size_t)4 * 1024)

static int check_time(const struct oci_answer *answer, struct err *err)
{
	if (clock_monotonic_ms() < answer->until)
		return 0;
	return err_set_retry(
		err, ERR_NETWORK, ETIMEDOUT, 0, "an answer takes more than %d s", LIMIT_MS / 1000);
}

/* One that was broken off does not count. */
static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct oci_answer *answer = (struct oci_answer *)sink;

	(void)remote;
	(void)err;
	answer->len = 0;
	return 0;
}

static int make_room(struct oci_answer *answer, size_t len, struct err *err)
{
	size_t room = answer->room ? answer->room : ROOM_MIN;
	char *bigger;

	while (room <= answer->len + len)
		room *= 2;
	if (room == answer->room)
		return 0;
	bigger = malloc(room);
	if (!bigger)
		return err_oom(err);
	if (answer->text) {
		memcpy(bigger, answer->text, answer->len);
		explicit_bzero(answer->text, answer->room);
	}
	free(answer->text);
	answer->text = bigger;
	answer->room = room;
	return 0;
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct oci_answer *answer = (struct oci_answer *)sink;
	int r;

	if (len > answer->max - answer->len)
		return err_set(err, ERR_REMOTE, EFBIG, "an answer of more than %zu KiB",
			answer->max / 1024);
	r = make_room(answer, len, err);
	if (r < 0)
		return r;
	memcpy(answer->text + answer->len, buf, len);
	answer->len += len;
	answer->text[answer->len] = '\0';
	return check_time(answer, err);
}

static int on_poll(struct sink *sink, struct err *err)
{
	struct oci_answer *answer = (struct oci_answer *)sink;
	int r;

	if (answer->ret_queued)
		*answer->ret_queued = sink->queued;
	r = answer->poll(answer->arg, err);
	return r < 0 ? r : check_time(answer, err);
}

void oci_answer_init(
	struct oci_answer *answer, size_t max, int (*poll)(void *arg, struct err *err), void *arg)
{
	*answer = (struct oci_answer){
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll},
		.poll = poll,
		.arg = arg,
		.max = max,
		.until = clock_monotonic_ms() + LIMIT_MS,
	};
}

void oci_answer_release(struct oci_answer *answer)
{
	if (answer->text)
		explicit_bzero(answer->text, answer->room);
	free(answer->text);
}
