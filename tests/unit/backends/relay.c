/* The way between the threads, and the headers that go it. */
#include "backends/relay.h"

#include "backends/headers.h"
#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(relay, tells_answer_then_bytes_then_end)
{
	CLEANUP(relay_release) struct relay relay;
	struct err end = ERR_INIT;
	struct relay_buffer *buffer = NULL;

	relay_init(&relay);
	cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_TIMEOUT);
	cr_assert_eq(relay_put(&relay, "hello ", 6, 11), 0);
	cr_assert_eq(relay_put(&relay, "world", 5, 5), 0);
	relay_answer(&relay);
	err_set(&end, ERR_NETWORK, EIO, "broken");
	relay_end(&relay, &end);

	end = ERR_INIT;
	cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_ANSWER);
	cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_BYTES);
	cr_assert_eq(buffer->len, 11, "a small file takes one buffer of its size");
	cr_assert_eq(buffer->size, 11);
	cr_assert_eq(memcmp(buffer->bytes, "hello world", 11), 0);
	cr_assert_not(relay_hand_back(&relay, buffer));
	cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_END);
	cr_assert_str_eq(end.msg, "broken");
}

Test(relay, refuses_when_full_until_there_is_room_again)
{
	static const char block[16384];
	CLEANUP(relay_release) struct relay relay;
	struct err end = ERR_INIT;
	struct relay_buffer *buffer = NULL;
	size_t taken = 0;
	int r;

	relay_init(&relay);
	while ((r = relay_put(&relay, block, sizeof(block), INT64_MAX)) == 0)
		taken += sizeof(block);
	cr_assert_eq(r, -EAGAIN);
	cr_assert_eq(taken, RELAY_BUFFERS * RELAY_BUFFER_SIZE);

	for (int room = 1; room <= RELAY_ROOM; room++) {
		cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_BYTES);
		cr_assert_eq(relay_hand_back(&relay, buffer), room == RELAY_ROOM);
	}
	cr_assert_eq(relay_put(&relay, block, sizeof(block), INT64_MAX), 0);
	cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_BYTES);
	cr_assert_not(relay_hand_back(&relay, buffer), "nobody was refused since");
}

Test(relay, calls_a_refused_producer_back_before_the_consumer_has_nothing_left)
{
	static const char small[16];
	static const char large[RELAY_BUFFER_SIZE];
	CLEANUP(relay_release) struct relay relay;
	struct err end = ERR_INIT;
	struct relay_buffer *buffer = NULL;
	bool called = false;

	relay_init(&relay);
	cr_assert_eq(relay_put(&relay, small, sizeof(small), -1), 0);
	while (relay_put(&relay, large, sizeof(large), -1) == 0)
		;
	while (!called) {
		cr_assert_eq(relay_next(&relay, 1, &buffer, &end), RELAY_BYTES);
		called = relay_hand_back(&relay, buffer);
	}
	cr_assert_eq(relay_put(&relay, large, sizeof(large), -1), 0);
}

Test(headers, last_one_of_a_name_counts)
{
	CLEANUP(headers_release) struct headers headers = {.text = NULL};

	cr_assert_eq(headers_add(&headers, "ETag: old", 9, NULL), 0);
	headers_clear(&headers);
	cr_assert_null(headers_find(&headers, "ETag"));
	cr_assert_eq(headers_add(&headers, "A:  1", 5, NULL), 0);
	cr_assert_eq(headers_add(&headers, "a:2", 3, NULL), 0);
	cr_assert_eq(headers_add(&headers, "AB: 3", 5, NULL), 0);
	cr_assert_str_eq(headers_find(&headers, "A"), "2");
	cr_assert_null(headers_find(&headers, "B"));
}

Test(headers, have_a_limit)
{
	static char line[8192];
	CLEANUP(headers_release) struct headers headers = {.text = NULL};
	struct err err = ERR_INIT;
	int r = 0;

	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 8 && r == 0; i++)
		r = headers_add(&headers, line, sizeof(line), &err);
	cr_assert_eq(r, -EBADMSG);
	cr_assert_leq(headers.len, HEADERS_MAX);
}
