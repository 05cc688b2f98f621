/* Placing one file in a real directory that its owner may have filled with traps. */
#include "sandbox/place.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/folder.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES "the bytes of the artifact"

/* A directory that holds an object, mode 0444, and an empty sandbox. */
struct scene {
	char *root;
	char *sandbox;
	int object;
	struct user user;
	struct folder folder;
};

static void write_file(const char *path, const char *text, mode_t mode)
{
	CLEANUP(fd_closep) int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
}

static struct scene scene_make(void)
{
	struct scene scene = {.root = tmpdir_make()};
	CLEANUP(str_freep) char *object = str_printf("%s/object", scene.root);
	struct err err = ERR_INIT;

	write_file(object, BYTES, 0444);
	scene.object = open(object, O_RDONLY | O_CLOEXEC);
	scene.sandbox = str_printf("%s/sandbox", scene.root);
	cr_assert_eq(mkdir(scene.sandbox, 0755), 0);
	cr_assert_eq(user_find(NULL, &scene.user, &err), 0);
	return scene;
}

static void scene_open(struct scene *scene)
{
	struct err err = ERR_INIT;

	cr_assert_eq(
		folder_open(scene->sandbox, &scene->user, &scene->folder, &err), 0, "%s", err.msg);
}

static void scene_remove(struct scene *scene)
{
	fd_close(&scene->object);
	if (scene->folder.path)
		folder_release(&scene->folder);
	free(scene->sandbox);
	tmpdir_remove(scene->root);
}

static char *in_sandbox(const struct scene *scene, const char *name)
{
	return str_printf("%s/%s", scene->sandbox, name);
}

static int ignore_made(const char *name, const struct node_id *id, void *arg, struct err *err)
{
	(void)name;
	(void)id;
	(void)err;
	if (arg)
		(*(int *)arg)++;
	return 0;
}

#define TARGET "/mnt/https/example.org/a"

static int begin(const struct scene *scene, int parent, const char *name, enum plan_method method,
	mode_t mode, struct placement *ret, struct err *err)
{
	const struct place_order order = {
		.folder = &scene->folder,
		.parent = parent,
		.name = name,
		.method = method,
		.source = scene->object,
		.target = TARGET,
		.mode = mode,
	};

	return place_begin(&order, ret, err);
}

static int place(const struct scene *scene, const char *name, enum plan_method method, mode_t mode,
	struct err *err)
{
	CLEANUP(fd_closep) int parent = -1;
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	int r;

	r = folder_make_parent(&scene->folder, name, ignore_made, NULL, &parent, err);
	if (r == 0)
		r = begin(scene, parent, name, method, mode, &placement, err);
	return r < 0 ? r : place_commit(&placement, err);
}

static void holds(const struct scene *scene, const char *name, const char *text)
{
	CLEANUP(str_freep) char *path = in_sandbox(scene, name);
	CLEANUP(str_freep) char *found = NULL;

	cr_assert_eq(fd_read_file(AT_FDCWD, path, 4096, &found, NULL), 0, "%s is not there", name);
	cr_expect_str_eq(found, text);
}

static struct stat stat_of(const struct scene *scene, const char *name)
{
	CLEANUP(str_freep) char *path = in_sandbox(scene, name);
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0, "%s: %m", path);
	return st;
}

static struct node_id id_of(const struct scene *scene, const char *name)
{
	struct node node = {0};

	cr_assert_eq(node_look(scene->folder.fd, name, &node), 0);
	cr_assert_eq(node.id.inode, stat_of(scene, name).st_ino);
	return node.id;
}

/* How many names the folder @path holds. */
static int names_in(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

Test(place, a_copy_has_the_bytes_the_mode_and_an_inode_of_its_own)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct err err = ERR_INIT;
	struct stat object, copy;

	scene_open(&scene);
	umask(077);
	cr_assert_eq(place(&scene, "a/b/copy", PLAN_COPY, 0755, &err), 0, "%s", err.msg);
	holds(&scene, "a/b/copy", BYTES);
	fstat(scene.object, &object);
	copy = stat_of(&scene, "a/b/copy");
	cr_expect_neq(copy.st_ino, object.st_ino);
	cr_expect_eq(copy.st_mode & 07777, 0755);
	cr_expect_eq(stat_of(&scene, "a").st_mode & 07777, 0755, "the umask of the caller won");
	cr_expect_eq(copy.st_nlink, 1);
}

Test(place, a_hardlink_is_the_object_and_keeps_its_mode)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct err err = ERR_INIT;
	struct stat object, linked;

	scene_open(&scene);
	cr_assert_eq(place(&scene, "link", PLAN_HARDLINK, 0755, &err), 0, "%s", err.msg);
	fstat(scene.object, &object);
	linked = stat_of(&scene, "link");
	cr_expect_eq(linked.st_ino, object.st_ino);
	cr_expect_eq(linked.st_mode & 07777, 0444);
}

Test(place, a_symlink_leads_where_it_should)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *path = in_sandbox(&scene, "a/link");
	struct err err = ERR_INIT;
	char target[64] = "";

	scene_open(&scene);
	cr_assert_eq(place(&scene, "a/link", PLAN_SYMLINK, 0644, &err), 0, "%s", err.msg);
	cr_assert_gt(readlink(path, target, sizeof(target) - 1), 0);
	cr_expect_str_eq(target, TARGET);
}

static int note_name(const char *name, void *arg, struct err *err)
{
	(void)err;
	str_fit(arg, 64, name);
	return 0;
}

Test(place, a_name_for_the_moment_is_told_before_and_gone_after)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct placement placement = PLACEMENT_INIT;
	CLEANUP(fd_closep) int parent = -1;
	char told[64] = "";
	struct place_order order = {
		.folder = &scene.folder,
		.name = "a/link",
		.method = PLAN_SYMLINK,
		.source = -1,
		.target = TARGET,
		.intend = note_name,
		.arg = told,
	};
	struct err err = ERR_INIT;

	scene_open(&scene);
	cr_assert_eq(
		folder_make_parent(&scene.folder, order.name, ignore_made, NULL, &parent, &err), 0);
	order.parent = parent;
	cr_assert_eq(place_begin(&order, &placement, &err), 0, "%s", err.msg);
	cr_expect(str_has_prefix(told, "a/.fetchfs."), "%s", told);
	cr_expect_eq(stat_of(&scene, told).st_ino, placement.id.inode);
	cr_expect_eq(folder_remove(&scene.folder, told, &(struct node_id){0}, false, &err),
		FOLDER_REMOVED);
	cr_expect_eq(place_commit(&placement, &err), -ENOENT);
	place_release(&placement);
}

Test(place, a_reflink_is_refused_where_blocks_cannot_be_shared)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct err err = ERR_INIT;

	scene_open(&scene);
	fd_close(&scene.object);
	scene.object = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	cr_expect_eq(place(&scene, "file", PLAN_REFLINK, 0644, &err), -EOPNOTSUPP);
	cr_expect(strstr(err.msg, "shares blocks"), "%s", err.msg);
	cr_expect(place_is_refusal(-EOPNOTSUPP));
	cr_expect_eq(names_in(scene.sandbox), 0);
}

Test(place, an_empty_and_a_large_file_are_copied_whole)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *large = str_printf("%s/large", scene.root);
	struct err err = ERR_INIT;

	scene_open(&scene);
	fd_close(&scene.object);
	scene.object = open(large, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	cr_assert_eq(place(&scene, "empty", PLAN_COPY, 0644, &err), 0, "%s", err.msg);
	cr_expect_eq(stat_of(&scene, "empty").st_size, 0);
	cr_assert_eq(fd_pwrite_all(scene.object, "end", 3, (3 << 20) + 1), 0);
	cr_assert_eq(place(&scene, "large", PLAN_COPY, 0644, &err), 0, "%s", err.msg);
	cr_expect_eq(stat_of(&scene, "large").st_size, (3 << 20) + 4);
}

Test(place, what_is_there_is_never_overwritten)
{
	const enum plan_method methods[] = {PLAN_COPY, PLAN_HARDLINK, PLAN_SYMLINK};
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *path = in_sandbox(&scene, "mine");

	scene_open(&scene);
	write_file(path, "mine", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct err err = ERR_INIT;

		cr_expect_eq(place(&scene, "mine", methods[i], 0644, &err), -EEXIST);
		cr_expect(strstr(err.msg, "mine"), "%s", err.msg);
		holds(&scene, "mine", "mine");
	}
	cr_expect_eq(names_in(scene.sandbox), 1, "something was left behind");
}

Test(place, a_symbolic_link_in_the_way_is_not_followed)
{
	const enum plan_method methods[] = {PLAN_COPY, PLAN_HARDLINK, PLAN_SYMLINK};
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *link_path = in_sandbox(&scene, "out");
	CLEANUP(str_freep) char *outside = str_printf("%s/outside", scene.root);

	scene_open(&scene);
	cr_assert_eq(symlink(outside, link_path), 0);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct err err = ERR_INIT;

		cr_expect_eq(place(&scene, "out", methods[i], 0644, &err), -EEXIST);
		cr_expect_lt(access(outside, F_OK), 0, "written through the link");
	}
}

Test(place, a_folder_that_is_a_symbolic_link_is_not_entered)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *link_path = in_sandbox(&scene, "sub");
	CLEANUP(str_freep) char *outside = str_printf("%s/outside", scene.root);
	struct err err = ERR_INIT;

	scene_open(&scene);
	cr_assert_eq(mkdir(outside, 0777), 0);
	cr_assert_eq(symlink(outside, link_path), 0);
	cr_expect_lt(place(&scene, "sub/file", PLAN_COPY, 0644, &err), 0);
	cr_expect(strstr(err.msg, "symbolic link"), "%s", err.msg);
	cr_expect_lt(place(&scene, "sub/deeper/file", PLAN_COPY, 0644, &err), 0);
	cr_expect_eq(names_in(outside), 0, "something was made outside");
}

Test(place, a_placement_that_is_not_committed_leaves_nothing)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct placement placement = PLACEMENT_INIT;
	struct err err = ERR_INIT;

	scene_open(&scene);
	cr_assert_eq(begin(&scene, scene.folder.fd, "file", PLAN_COPY, 0644, &placement, &err), 0);
	cr_expect_neq(placement.id.inode, 0);
	place_release(&placement);
	cr_expect_eq(names_in(scene.sandbox), 0);
}

#ifdef FETCHFS_FAULTS
Test(place, a_copy_that_fails_leaves_nothing)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct err err = ERR_INIT;

	scene_open(&scene);
	cr_assert_eq(fault_setup("place.copy:1:ENOSPC"), 0);
	cr_expect_eq(place(&scene, "file", PLAN_COPY, 0644, &err), -ENOSPC);
	cr_assert_eq(fault_setup("place.link:1:EDQUOT"), 0);
	cr_expect_eq(
		place(&scene, "file", PLAN_COPY, 0644, &err), -ENOSPC, "as a disk that is full");
	cr_expect_eq(names_in(scene.sandbox), 0);
}
#endif

Test(folder, a_symbolic_link_to_a_directory_is_no_sandbox)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *link_path = str_printf("%s/link", scene.root);
	struct err err = ERR_INIT;

	cr_assert_eq(symlink(scene.sandbox, link_path), 0);
	cr_expect_lt(folder_open(link_path, &scene.user, &scene.folder, &err), 0);
}

Test(folder, only_what_is_still_the_placed_file_is_removed)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *path = in_sandbox(&scene, "file");
	CLEANUP(str_freep) char *kept = str_printf("%s/kept", scene.root);
	struct err err = ERR_INIT;
	struct node_id id;

	scene_open(&scene);
	cr_assert_eq(place(&scene, "file", PLAN_COPY, 0644, &err), 0);
	id = id_of(&scene, "file");
	cr_assert_eq(rename(path, kept), 0); /* so that its inode is not given out again */
	write_file(path, "another", 0644);
	cr_expect_eq(folder_remove(&scene.folder, "file", &id, false, &err), FOLDER_FOREIGN);
	holds(&scene, "file", "another");
	cr_assert_eq(rename(kept, path), 0);
	/* of another birth, with its number */
	if (id.born != 0) {
		id.born--;
		cr_expect_eq(
			folder_remove(&scene.folder, "file", &id, false, &err), FOLDER_FOREIGN);
		id.born = 0;
	}
	cr_expect_eq(folder_remove(&scene.folder, "file", &id, false, &err), FOLDER_REMOVED);
	cr_expect_eq(folder_remove(&scene.folder, "file", &id, false, &err), FOLDER_ABSENT);
}

Test(folder, made_folders_are_told_of_and_removed_only_when_empty)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	CLEANUP(str_freep) char *there = in_sandbox(&scene, "there");
	CLEANUP(str_freep) char *mine = in_sandbox(&scene, "there/new/mine");
	CLEANUP(fd_closep) int parent = -1;
	struct err err = ERR_INIT;
	struct node_id id;
	int made = 0;

	scene_open(&scene);
	cr_assert_eq(mkdir(there, 0700), 0);
	cr_assert_eq(folder_make_parent(
			     &scene.folder, "there/new/er/file", ignore_made, &made, &parent, &err),
		0);
	cr_expect_eq(made, 2, "a folder that was there counted as made");
	cr_expect_eq(stat_of(&scene, "there").st_mode & 0777, 0700);
	id = id_of(&scene, "there/new");
	cr_expect_eq(folder_remove(&scene.folder, "there/new", &id, true, &err), FOLDER_NOT_EMPTY);
	id = id_of(&scene, "there/new/er");
	cr_expect_eq(folder_remove(&scene.folder, "there/new/er", &id, true, &err), FOLDER_REMOVED);
	write_file(mine, "mine", 0644);
	id = id_of(&scene, "there/new");
	cr_expect_eq(folder_remove(&scene.folder, "there/new", &id, true, &err), FOLDER_NOT_EMPTY);
}

Test(folder, a_directory_of_a_third_user_is_refused)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct err err = ERR_INIT;

	if (geteuid() != 0)
		cr_skip_test("needs root to give a folder away");
	cr_assert_eq(chown(scene.sandbox, 12345, 12345), 0);
	scene_open(&scene);
	cr_expect_eq(folder_check_owner(&scene.folder, &err), -EPERM);
	scene.user.uid = 12345;
	cr_expect_eq(folder_check_owner(&scene.folder, &err), 0);
}

Test(user, files_are_made_with_the_rights_of_the_user)
{
	CLEANUP(scene_remove) struct scene scene = scene_make();
	struct err err = ERR_INIT;
	struct stat copy;

	if (geteuid() != 0)
		cr_skip_test("only root works for others");
	chmod(scene.root, 0711);
	scene.user = (struct user){.uid = 12345, .gid = 12345, .other = true};
	scene_open(&scene);
	cr_expect_eq(place(&scene, "file", PLAN_COPY, 0644, &err), -EACCES,
		"root's rights let it into a folder that only root may write");
	cr_expect_eq(place(&scene, "link", PLAN_HARDLINK, 0644, &err), -EACCES);
	cr_assert_eq(chown(scene.sandbox, 12345, 12345), 0);
	cr_assert_eq(place(&scene, "a/file", PLAN_COPY, 0644, &err), 0, "%s", err.msg);
	copy = stat_of(&scene, "a/file");
	cr_expect_eq(copy.st_uid, 12345);
	cr_expect_eq(copy.st_gid, 12345);
	cr_expect_eq(stat_of(&scene, "a").st_uid, 12345);
	cr_assert_eq(place(&scene, "a/link", PLAN_HARDLINK, 0644, &err), 0, "%s", err.msg);
	cr_expect_eq(stat_of(&scene, "a/link").st_uid, 0);
	cr_expect_eq(access("/root", R_OK), 0, "root did not get its rights back");
}
