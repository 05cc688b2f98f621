/* Folders that are read by pages: every name once, and every place found again. */
#include "fs/folder.h"

#include "tests/unit/cache/fixture.h"

#define PREFIX "http://h/d/"
#define NAMES  1000

/* A cache as a mount has it, and as another process does. */
struct world {
	struct fs fs;
	struct cache *cache;
	struct folder *folder;
};

static void add(struct world *world, const char *name)
{
	CLEANUP(str_freep) char *uri = str_printf(PREFIX "%s", name);
	struct entry entry = entry_of(uri);
	struct err err = ERR_INIT;

	entry.state = ENTRY_KNOWN;
	cr_assert_eq(catalog_record(world->cache->store.catalog, &entry, 0, 0, NULL, &err), 0, "%s",
		err.msg);
}

static void take_away(struct world *world, const char *name)
{
	CLEANUP(str_freep) char *uri = str_printf(PREFIX "%s", name);
	struct entry_key key = key_of(uri);

	cr_assert_eq(catalog_remove(world->cache->store.catalog, &key, NULL), 0);
}

static struct world world_make(size_t names)
{
	char *path = tmpdir_make();
	struct fetchfs_options options = {.cache = path};
	struct world world = {.cache = cache_join(path, 64 * MIB)};
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_open(&options, &world.fs.fetchfs, &err), 0, "%s", err.msg);
	free(path);
	for (size_t i = 0; i < names; i++) {
		char name[32];

		sprintf(name, "n%05zu", i);
		add(&world, name);
	}
	return world;
}

static void open_it(struct world *world)
{
	world->folder = folder_new(&world->fs, "http/h/d", geteuid());
	cr_assert_eq(folder_add(world->folder, ".", 1, S_IFDIR), 0);
	cr_assert_eq(folder_add(world->folder, "..", 1, S_IFDIR), 0);
	cr_assert_eq(folder_add_children(world->folder, PREFIX, NULL), 0);
}

static void world_end(struct world *world)
{
	folder_free(world->folder);
	fetchfs_close(world->fs.fetchfs);
	cache_removep(&world->cache);
}

/* What a reader got: names, and the places behind them. */
struct reading {
	char names[2 * NAMES + 100][32];
	off_t places[2 * NAMES + 100];
	size_t count;
	size_t left; /* to be taken by this call */
};

static bool take(const struct folder_entry *entry, off_t next, void *arg)
{
	struct reading *reading = arg;

	if (reading->left == 0)
		return false;
	reading->left--;
	cr_assert_lt(reading->count, sizeof(reading->places) / sizeof(reading->places[0]));
	strcpy(reading->names[reading->count], entry->name);
	reading->places[reading->count++] = next;
	return true;
}

/* Read on, @step names at a time, until there are @most or there is nothing more. */
static void read_on(struct world *world, struct reading *reading, size_t step, size_t most)
{
	size_t before;

	do {
		off_t from = reading->count ? reading->places[reading->count - 1] : 0;
		struct err err = ERR_INIT;

		before = reading->count;
		reading->left = most - before < step ? most - before : step;
		cr_assert_eq(
			folder_read(world->folder, from, take, reading, &err), 0, "%s", err.msg);
	} while (reading->count > before && reading->count < most);
}

static struct reading *reading_new(void)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	cr_assert_not_null(reading);
	return reading;
}

static size_t count_of(const struct reading *reading, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < reading->count; i++)
		count += str_equal(reading->names[i], name);
	return count;
}

/* The name behind @place, or "". */
static const char *name_behind(struct world *world, off_t place)
{
	static struct reading reading;

	reading.count = 0;
	reading.left = 1;
	cr_assert_eq(folder_read(world->folder, place, take, &reading, NULL), 0);
	return reading.count ? reading.names[0] : "";
}

Test(folder, every_name_comes_once_and_every_place_is_found_again)
{
	struct world world = world_make(NAMES);
	struct reading *reading = reading_new();

	add(&world, "sub/one");
	add(&world, "sub/two");
	add(&world, "n00500/below"); /* a name that is both */
	open_it(&world);
	read_on(&world, reading, 7, SIZE_MAX);
	cr_assert_eq(reading->count, 2 + NAMES + 1);
	cr_assert_str_eq(reading->names[0], ".");
	cr_assert_str_eq(reading->names[2], "n00000");
	cr_assert_str_eq(reading->names[reading->count - 1], "sub");
	for (size_t i = 3; i < reading->count; i++)
		cr_assert_lt(strcmp(reading->names[i - 1], reading->names[i]), 0);
	for (size_t i = 0; i < reading->count; i++) {
		size_t at = i * 619 % reading->count;

		cr_assert_gt(reading->places[at], 0);
		cr_assert_str_eq(name_behind(&world, reading->places[at]),
			at + 1 < reading->count ? reading->names[at + 1] : "");
	}
	free(reading);
	world_end(&world);
}

Test(folder, names_that_come_and_go_do_not_move_the_others)
{
	struct world world = world_make(NAMES);
	struct reading *reading = reading_new();

	open_it(&world);
	read_on(&world, reading, 50, 2 + NAMES / 2);
	/* the one that was read last, one before it and one behind it; and new ones */
	take_away(&world, "n00499");
	take_away(&world, "n00100");
	take_away(&world, "n00900");
	add(&world, "n00200a");
	add(&world, "n00300a");
	for (int i = 0; i < NAMES / 2; i++) {
		char name[32];

		sprintf(name, "n00700-%04d", i);
		add(&world, name);
	}
	read_on(&world, reading, 50, SIZE_MAX);
	for (int i = 0; i < NAMES; i++) {
		char name[32];

		sprintf(name, "n%05d", i);
		cr_assert_eq(count_of(reading, name), i == 900 ? 0 : 1, "%s", name);
	}
	cr_assert_eq(count_of(reading, "n00200a"), 0);
	cr_assert_eq(count_of(reading, "n00700-0499"), 1);

	/* places that were told before: of pages that are read again */
	cr_assert_str_eq(name_behind(&world, reading->places[2 + 200]), "n00200a");
	cr_assert_str_eq(name_behind(&world, reading->places[2 + 201]), "n00202");
	cr_assert_str_eq(name_behind(&world, reading->places[2 + 350]), "n00351");
	cr_assert_str_eq(name_behind(&world, reading->places[2 + 99]), "n00101");
	/* behind one that has gone */
	cr_assert_str_eq(name_behind(&world, reading->places[2 + 100]), "n00101");
	cr_assert_str_eq(name_behind(&world, reading->places[2 + 499]), "n00500");
	free(reading);
	world_end(&world);
}

Test(folder, the_beginning_shows_what_is_there_now)
{
	struct world world = world_make(3);
	struct reading *reading = reading_new();

	open_it(&world);
	read_on(&world, reading, 100, SIZE_MAX);
	add(&world, "n00000a");
	take_away(&world, "n00001");
	cr_assert_eq(reading->count, 5);
	reading->count = 0;
	read_on(&world, reading, 100, SIZE_MAX);
	cr_assert_eq(reading->count, 5);
	cr_assert_str_eq(reading->names[3], "n00000a");
	cr_assert_str_eq(reading->names[4], "n00002");
	free(reading);
	world_end(&world);
}

Test(folder, one_call_goes_through_a_few_pages_at_most)
{
	struct world world = world_make(NAMES);
	struct reading *reading = reading_new();

	open_it(&world);
	reading->left = SIZE_MAX;
	cr_assert_eq(folder_read(world.folder, 0, take, reading, NULL), 0);
	cr_assert_gt(reading->count, 200);
	cr_assert_lt(reading->count, 600);
	free(reading);
	world_end(&world);
}
