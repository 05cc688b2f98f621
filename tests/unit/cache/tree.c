/* Trees: they count, and go, with their objects; what is no tree does not become one. */
#include "cache/tree.h"
#include "tests/unit/cache/fixture.h"

#define URI  "https://example.org/a.tgz"
#define SIZE 5000

/* An artifact, open, and what its tree goes by. */
struct setting {
	struct cache *cache;
	struct object object;
	struct entry_key key;
};

static struct setting setting_make(void)
{
	struct setting setting = {.cache = cache_make(64 * MIB), .object = {.fd = -1}};
	struct err err = ERR_INIT;

	cr_assert_eq(put(setting.cache, URI, SIZE, 1, &setting.object, &err), 0, "%s", err.msg);
	cr_assert_eq(tree_key(&setting.object.digest, &setting.key, NULL), 0);
	return setting;
}

static void setting_end(struct setting *setting)
{
	object_release(&setting->object);
	cache_removep(&setting->cache);
}

static struct tree_draft *begin(struct setting *setting)
{
	struct tree_draft *draft = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(tree_begin(&setting->cache->store, &setting->object.digest, &setting->key,
			     &draft, &err),
		0, "%s", err.msg);
	return draft;
}

static void put_file(int dirfd, const char *name, mode_t mode)
{
	CLEANUP(fd_closep) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	cr_assert_geq(fd, 0, "%s: %s", name, strerror(errno));
	cr_assert_eq(fd_write_all(fd, "bytes", 5), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
}

/* Publish a tree of one file. */
static struct tree publish(struct setting *setting, uint64_t *ret_bytes)
{
	struct tree_draft *draft = begin(setting);
	struct tree tree = TREE_INIT;
	struct err err = ERR_INIT;

	put_file(tree_draft_fd(draft), "file", 0444);
	cr_assert_eq(tree_check(tree_draft_fd(draft), ret_bytes, &err), 0, "%s", err.msg);
	cr_assert_eq(tree_publish(&draft, *ret_bytes, false, &tree, &err), 0, "%s", err.msg);
	cr_assert_null(draft);
	return tree;
}

static struct usage space_of(const struct setting *setting)
{
	struct usage usage;

	cr_assert_eq(catalog_usage(setting->cache->store.catalog, &usage, NULL), 0);
	return usage;
}

/* Names in trees/. */
static int count_trees(const struct setting *setting)
{
	char *command =
		str_printf("find %s/trees -mindepth 1 -maxdepth 1 | wc -l", setting->cache->path);
	FILE *pipe = popen(command, "r");
	int count = -1;

	free(command);
	cr_assert_eq(fscanf(pipe, "%d", &count), 1);
	pclose(pipe);
	return count;
}

Test(tree, counts_with_its_object_and_is_found)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	CLEANUP(tree_release) struct tree made = TREE_INIT;
	CLEANUP(tree_release) struct tree found = TREE_INIT;
	uint64_t before = space_of(&setting).objects;
	struct tree_draft *draft;
	struct err err = ERR_INIT;
	uint64_t bytes;

	cr_assert_eq(
		tree_open(&setting.cache->store, &setting.object.digest, &found, NULL), -ENOENT);
	made = publish(&setting, &bytes);
	cr_assert_geq(bytes, 4096);
	cr_assert_eq(space_of(&setting).objects, before + bytes);
	cr_assert_eq(space_of(&setting).reserved, 0);
	cr_assert_eq(tree_open(&setting.cache->store, &setting.object.digest, &found, &err), 0,
		"%s", err.msg);
	cr_assert_not(found.single);
	cr_assert_eq(faccessat(found.fd, "file", R_OK, 0), 0);
	cr_assert_eq(tree_begin(&setting.cache->store, &setting.object.digest, &setting.key, &draft,
			     NULL),
		-EEXIST);
}

Test(tree, of_one_compressed_file_says_so)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	CLEANUP(tree_release) struct tree made = TREE_INIT;
	CLEANUP(tree_release) struct tree found = TREE_INIT;
	struct tree_draft *draft = begin(&setting);

	put_file(tree_draft_fd(draft), "data", 0444);
	cr_assert_eq(tree_publish(&draft, 8192, true, &made, NULL), 0);
	cr_assert(made.single);
	cr_assert_eq(tree_open(&setting.cache->store, &setting.object.digest, &found, NULL), 0);
	cr_assert(found.single);
}

Test(tree, goes_with_its_object)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct err err = ERR_INIT;
	struct tree made;
	uint64_t bytes;

	made = publish(&setting, &bytes);
	cr_assert_eq(evict_object(&setting.cache->store, &setting.object.digest, &err), -EBUSY);
	tree_release(&made);
	cr_assert_eq(evict_object(&setting.cache->store, &setting.object.digest, &err), -EBUSY,
		"whoever has the object open keeps both");
	object_release(&setting.object);
	cr_assert_eq(evict_object(&setting.cache->store, &setting.object.digest, &err), 0, "%s",
		err.msg);
	cr_assert_eq(space_of(&setting).objects, 0);
	cr_assert_eq(count_trees(&setting), 0);
}

Test(tree, that_is_linked_elsewhere_stays)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	CLEANUP(tree_release) struct tree made = TREE_INIT;
	CLEANUP(str_freep) char *link = str_printf("%s/link", setting.cache->path);
	struct err err = ERR_INIT;
	uint64_t bytes;

	made = publish(&setting, &bytes);
	object_release(&setting.object);
	cr_assert_eq(linkat(made.fd, "file", AT_FDCWD, link, 0), 0);
	cr_assert_eq(evict_object(&setting.cache->store, &setting.object.digest, &err), -EBUSY);
	cr_assert(strstr(err.msg, "linked elsewhere"), "%s", err.msg);
	unlink(link);
	cr_assert_eq(evict_object(&setting.cache->store, &setting.object.digest, &err), 0, "%s",
		err.msg);
}

Test(tree, frees_for_others_what_it_occupies)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct err err = ERR_INIT;
	struct tree_draft *draft = begin(&setting);
	struct tree made = TREE_INIT;
	uint64_t bytes;
	CLEANUP(fd_closep) int fd = openat(tree_draft_fd(draft), "big", O_WRONLY | O_CREAT, 0444);

	cr_assert_eq(tree_reserve(draft, 30 * MIB, &err), 0, "%s", err.msg);
	cr_assert_eq(posix_fallocate(fd, 0, 29 * MIB), 0);
	cr_assert_eq(tree_check(tree_draft_fd(draft), &bytes, &err), 0, "%s", err.msg);
	cr_assert_eq(tree_publish(&draft, bytes, false, &made, &err), 0, "%s", err.msg);
	tree_release(&made);
	object_release(&setting.object);
	put_away(setting.cache, "https://example.org/b", 40 * MIB, 2);
	cr_assert_leq(space_of(&setting).objects, 41 * MIB);
	cr_assert_eq(count_trees(&setting), 0);
}

Test(tree, that_is_given_up_leaves_nothing)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree_draft *draft = begin(&setting);

	put_file(tree_draft_fd(draft), "file", 0444);
	cr_assert_eq(mkdirat(tree_draft_fd(draft), "closed", 0555), 0);
	cr_assert_eq(count_trees(&setting), 1);
	cr_assert_gt(space_of(&setting).reserved, 0);
	tree_abort(&draft);
	cr_assert_eq(count_trees(&setting), 0);
	cr_assert_eq(space_of(&setting).reserved, 0);
}

/* In a process that dies before it is done. */
static void die_while_making(struct setting *setting)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct cache *cache = cache_join(setting->cache->path, 64 * MIB);
		struct tree_draft *draft;

		if (tree_begin(&cache->store, &setting->object.digest, &setting->key, &draft,
			    NULL) < 0)
			_exit(1);
		put_file(tree_draft_fd(draft), "half", 0600);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(tree, of_a_dead_process_is_swept_away_by_the_next_one)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree_draft *draft;

	die_while_making(&setting);
	cr_assert_eq(count_trees(&setting), 1);
	cr_assert_gt(space_of(&setting).reserved, 0);
	draft = begin(&setting);
	cr_assert_eq(count_trees(&setting), 1);
	tree_abort(&draft);
	cr_assert_eq(count_trees(&setting), 0);
}

Test(tree, of_a_dead_process_is_swept_away_by_an_evictor)
{
	CLEANUP(setting_end) struct setting setting = setting_make();

	die_while_making(&setting);
	object_release(&setting.object);
	cr_assert_eq(evict_to(&setting.cache->store, 0, NULL, NULL), 0);
	cr_assert_eq(count_trees(&setting), 0);
	cr_assert_eq(space_of(&setting).reserved, 0);
}

Test(tree, that_is_being_made_is_left_alone)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree_draft *draft = begin(&setting);
	struct tree_draft *other;
	struct entry_key next;
	uint64_t reserved = space_of(&setting).reserved;

	cr_assert_eq(tree_begin(&setting.cache->store, &setting.object.digest, &setting.key, &other,
			     NULL),
		-EALREADY);
	tree_sweep(&setting.cache->store);
	cr_assert_eq(evict_to(&setting.cache->store, 0, NULL, NULL), 0);
	cr_assert_eq(count_trees(&setting), 1);
	cr_assert_eq(space_of(&setting).reserved, reserved);

	/* who takes it for frozen goes on beside it, and comes second */
	entry_key_next(&setting.key, &next);
	cr_assert_eq(
		tree_begin(&setting.cache->store, &setting.object.digest, &next, &other, NULL), 0);
	CLEANUP(tree_release) struct tree first = TREE_INIT;
	CLEANUP(tree_release) struct tree second = TREE_INIT;

	put_file(tree_draft_fd(draft), "first", 0444);
	put_file(tree_draft_fd(other), "second", 0444);
	cr_assert_eq(tree_publish(&draft, 8192, false, &first, NULL), 0);
	cr_assert_eq(tree_publish(&other, 8192, false, &second, NULL), 0);
	cr_assert_eq(faccessat(second.fd, "first", F_OK, 0), 0, "one tree, the first");
	cr_assert_eq(count_trees(&setting), 1);
	cr_assert_eq(space_of(&setting).reserved, 0);
}

Test(tree, without_its_folder_is_made_anew)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree found;
	struct tree made;
	uint64_t bytes;

	made = publish(&setting, &bytes);
	tree_release(&made);
	cr_assert_eq(tree_remove(&setting.cache->store, &setting.object.digest, NULL), 0);
	cr_assert_eq(
		tree_open(&setting.cache->store, &setting.object.digest, &found, NULL), -ENOENT);
	made = publish(&setting, &bytes);
	tree_release(&made);
	cr_assert_eq(space_of(&setting).object_count, 1);
}

Test(tree, without_its_row_is_thrown_away)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree_draft *draft;
	struct tree made;
	uint64_t bytes;

	made = publish(&setting, &bytes);
	tree_release(&made);
	cr_assert_eq(
		catalog_tree_forget(setting.cache->store.catalog, &setting.object.digest, 0, NULL),
		0);
	draft = begin(&setting);
	cr_assert_eq(count_trees(&setting), 1, "only the new one");
	tree_abort(&draft);
}

Test(tree, of_an_unknown_object_is_not_published)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree_draft *draft = begin(&setting);
	struct tree made = TREE_INIT;

	cr_assert_eq(
		catalog_object_gone(setting.cache->store.catalog, &setting.object.digest, NULL), 0);
	cr_assert_eq(tree_publish(&draft, 8192, false, &made, NULL), -ENOENT);
	cr_assert_eq(count_trees(&setting), 0);
	cr_assert_eq(space_of(&setting).reserved, 0);
}

Test(tree, deeper_than_any_walk_is_removed)
{
	CLEANUP(setting_end) struct setting setting = setting_make();
	struct tree_draft *draft = begin(&setting);
	int fd = fcntl(tree_draft_fd(draft), F_DUPFD_CLOEXEC, 0);
	struct err err = ERR_INIT;
	uint64_t bytes;

	for (int i = 0; i < 3 * TREE_DEPTH_MAX; i++) {
		int child;

		cr_assert_eq(mkdirat(fd, "d", 0700), 0);
		child = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(child, 0);
		cr_assert_eq(fchmod(child, 0555 | (i + 1 < 3 * TREE_DEPTH_MAX ? 0200 : 0)), 0);
		close(fd);
		fd = child;
	}
	close(fd);
	cr_assert_eq(tree_check(tree_draft_fd(draft), &bytes, &err), -EBADMSG);
	tree_abort(&draft);
	cr_assert_eq(count_trees(&setting), 0);
}

/* ---- what may be in one ---- */

/* What tree_check() says of @make's work. */
static int check(void (*make)(int fd), struct err *err)
{
	char *path = tmpdir_make();
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes;
	int r;

	make(fd);
	r = tree_check(fd, &bytes, err);
	tmpdir_remove(path);
	return r;
}

static void make_good(int fd)
{
	put_file(fd, "file", 0444);
	put_file(fd, "program", 0555);
	linkat(fd, "file", fd, "again", 0);
	symlinkat("file", fd, "link");
	symlinkat("nowhere", fd, "dangling");
	symlinkat("circle", fd, "circle");
	mkdirat(fd, "folder", 0755);
	symlinkat("../folder/../file", fd, "folder/up");
	fchmodat(fd, "folder", 0555, 0);
}

static void make_writable(int fd)
{
	put_file(fd, "file", 0644);
}

static void make_setuid(int fd)
{
	put_file(fd, "file", 04555);
}

static void make_open_folder(int fd)
{
	mkdirat(fd, "folder", 0755);
}

static void make_fifo(int fd)
{
	mkfifoat(fd, "fifo", 0444);
}

static void make_absolute(int fd)
{
	symlinkat("/etc/passwd", fd, "link");
}

static void make_up(int fd)
{
	symlinkat("../x", fd, "link");
}

/* Inside as far as its words tell. */
static void make_winding(int fd)
{
	symlinkat(".", fd, "w");
	symlinkat("w/w/w/../../..", fd, "link");
}

Test(tree, holds_only_what_belongs_in_one)
{
	static const struct {
		void (*make)(int fd);
		const char *says;
	} bad[] = {
		{make_writable, "entry file: it has a mode"},
		{make_setuid, "entry file: it has a mode"},
		{make_open_folder, "entry folder: it has a mode"},
		{make_fifo, "entry fifo: it is neither"},
		{make_absolute, "entry link: it leads outside"},
		{make_up, "entry link: it leads outside"},
		{make_winding, "entry link: it leads outside"},
	};
	struct err err = ERR_INIT;

	cr_assert_eq(check(make_good, &err), 0, "%s", err.msg);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(check(bad[i].make, &err), -EBADMSG, "%zu", i);
		cr_assert(strstr(err.msg, bad[i].says), "%s", err.msg);
	}
}

Test(tree, has_no_file_that_somebody_else_has_a_name_of)
{
	char *path = tmpdir_make();
	CLEANUP(str_freep) char *outside = str_printf("%s.link", path);
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;
	uint64_t bytes;

	put_file(fd, "file", 0444);
	cr_assert_eq(linkat(fd, "file", AT_FDCWD, outside, 0), 0);
	cr_assert_eq(tree_check(fd, &bytes, &err), -EBADMSG);
	cr_assert(strstr(err.msg, "linked from elsewhere"), "%s", err.msg);
	unlink(outside);
	cr_assert_eq(tree_check(fd, &bytes, &err), 0, "%s", err.msg);
	tmpdir_remove(path);
}
