#include "cache/events.h"

#include "fixture.h"

#define WRITERS 4
#define EACH    6000

static struct cache *cache;
static struct events *events;

static void setup(void)
{
	cache = cache_make(64 * MIB);
	cr_assert_eq(events_open(&cache->dir, &events, NULL), 0);
}

static void teardown(void)
{
	events_close(events);
	cache_removep(&cache);
}

TestSuite(events, .init = setup, .fini = teardown);

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(cache->dir.fd, name, &st, 0) < 0 ? -1 : st.st_size;
}

struct seen {
	int count;
	int last[WRITERS];
	char uri[4096];
	char text[4096];
};

static int collect(const struct event *event, void *arg)
{
	struct seen *seen = arg;

	seen->count++;
	str_fit(seen->uri, sizeof(seen->uri), event->uri);
	str_fit(seen->text, sizeof(seen->text), event->text);
	return 0;
}

Test(events, what_was_noted_is_read_and_counted)
{
	const struct event event = {.kind = EVENT_FAILED,
		.bytes = 7,
		.duration_ms = 12,
		.scope = "uid:7",
		.uri = "https://h/a\tb\n",
		.text = "no\rway"};
	struct seen seen = {0};
	uint64_t count;
	uint64_t bytes;

	events_add(events, &event);
	cr_assert_eq(events_visit(events, collect, &seen, NULL), 0);
	cr_assert_eq(seen.count, 1);
	cr_assert_str_eq(seen.uri, "https://h/a?b?");
	cr_assert_str_eq(seen.text, "no?way");
	events_count(events, EVENT_FAILED, &count, &bytes);
	cr_assert_eq(count, 1);
	cr_assert_eq(bytes, 7);
	events_count(events, EVENT_FETCHED, &count, &bytes);
	cr_assert_eq(count, 0);
}

Test(events, a_huge_text_is_cut_and_the_line_stays_one)
{
	char *huge = malloc(100001);
	struct seen seen = {0};

	memset(huge, 'x', 100000);
	huge[100000] = '\0';
	events_add(events, &(struct event){.kind = EVENT_FAILED, .uri = huge, .text = huge});
	events_add(events, &(struct event){.kind = EVENT_FETCHED, .uri = "u"});
	cr_assert_eq(events_visit(events, collect, &seen, NULL), 0);
	cr_assert_eq(seen.count, 2);
	cr_assert_str_eq(seen.uri, "u");
	free(huge);
}

/* Writer @n numbers its events. */
static void write_many(int n)
{
	struct events *own;
	char uri[32];
	char text[200];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	if (events_open(&cache->dir, &own, NULL) < 0)
		_exit(1);
	for (int i = 1; i <= EACH; i++) {
		snprintf(uri, sizeof(uri), "%d/%d", n, i);
		events_add(own, &(struct event){.kind = EVENT_FETCHED, .uri = uri, .text = text});
	}
	events_close(own);
	_exit(0);
}

/* None is missing between the oldest that is left of a writer and its newest, nor twice there. */
static int check_order(const struct event *event, void *arg)
{
	struct seen *seen = arg;
	int writer;
	int number;

	cr_assert_eq(sscanf(event->uri, "%d/%d", &writer, &number), 2);
	cr_assert(seen->last[writer] == 0 || number == seen->last[writer] + 1, "%d/%d after %d",
		writer, number, seen->last[writer]);
	seen->last[writer] = number;
	seen->count++;
	return 0;
}

Test(events, several_processes_write_and_the_oldest_go)
{
	struct seen seen = {0};
	int status;

	for (int n = 0; n < WRITERS; n++)
		if (fork() == 0)
			write_many(n);
	for (int n = 0; n < WRITERS; n++) {
		cr_assert_gt(wait(&status), 0);
		cr_assert_eq(status, 0);
	}
	/* whoever had the old file open when it was renamed may have put some more into it */
	cr_assert_lt(size_of("events"), (off_t)EVENTS_FILE_MAX + WRITERS * 4096);
	cr_assert_geq(size_of("events.old"), (off_t)EVENTS_FILE_MAX);
	cr_assert_lt(size_of("events.old"), (off_t)EVENTS_FILE_MAX + WRITERS * 4096);
	cr_assert_eq(events_visit(events, check_order, &seen, NULL), 0);
	cr_assert_gt(seen.count, 2000);
}

/* As another process, which has nothing open yet. */
static void add_fresh(const char *uri)
{
	struct events *own;

	cr_assert_eq(events_open(&cache->dir, &own, NULL), 0);
	events_add(own, &(struct event){.kind = EVENT_FETCHED, .uri = uri});
	events_close(own);
}

static void make_way(void)
{
	cr_assert_eq(renameat(cache->dir.fd, "events", cache->dir.fd, "events.old"), 0);
}

static void check_next(struct events_tail *tail, int count, const char *last)
{
	struct seen seen = {0};

	cr_assert_eq(events_tail_read(tail, collect, &seen, NULL), 0);
	cr_assert_eq(seen.count, count, "%d", seen.count);
	cr_assert_str_eq(seen.uri, last);
}

Test(events, a_file_that_makes_way_before_it_is_read_is_not_left_out)
{
	struct events_tail *tail;

	add_fresh("1");
	make_way();
	add_fresh("2");
	cr_assert_eq(events_tail_open(events, &tail, NULL), 0);
	make_way();
	add_fresh("3");
	check_next(tail, 3, "3");

	/* two at once */
	add_fresh("4");
	make_way();
	add_fresh("5");
	make_way();
	add_fresh("6");
	check_next(tail, 3, "6");

	/* what was read is not read again for the next one's being removed */
	cr_assert_eq(unlinkat(cache->dir.fd, "events", 0), 0);
	add_fresh("7");
	check_next(tail, 1, "7");
	events_tail_free(tail);
}
