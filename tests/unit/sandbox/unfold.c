/* A tree merged into a real directory, in which much may be in the way. */
#include "sandbox/unfold.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHEN 981173106

/* A tree as the cache has them, and a sandbox. */
struct scene {
	char *root;
	char *tree;
	char *box;
	int fd;
	struct user user;
	struct folder folder;
	char told[512]; /* the names that made() was told */
};

static char *path(const char *folder, const char *name)
{
	return str_printf("%s/%s", folder, name);
}

static void write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
	CLEANUP(str_freep) char *full = path(folder, name);
	CLEANUP(fd_closep) int fd = open(full, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	const struct timespec times[2] = {{.tv_sec = WHEN}, {.tv_sec = WHEN}};

	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(futimens(fd, times), 0);
}

static void make_folder(const char *folder, const char *name)
{
	CLEANUP(str_freep) char *full = path(folder, name);

	cr_assert_eq(mkdir(full, 0755), 0);
}

static void make_link(const char *folder, const char *name, const char *target)
{
	CLEANUP(str_freep) char *full = path(folder, name);

	cr_assert_eq(symlink(target, full), 0);
}

static struct scene scene_make(void)
{
	struct scene scene = {.root = tmpdir_make()};

	scene.tree = path(scene.root, "tree");
	scene.box = path(scene.root, "box");
	make_folder(scene.root, "tree");
	make_folder(scene.root, "box");
	make_folder(scene.tree, "d");
	make_folder(scene.tree, "d/e");
	write_file(scene.tree, "d/e/prog", "program", 0555);
	write_file(scene.tree, "d/file", "text", 0444);
	make_link(scene.tree, "d/link", "../../anywhere");
	scene.fd = open(scene.tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(scene.fd, 0);
	cr_assert_eq(user_find(NULL, &scene.user, NULL), 0);
	return scene;
}

static void scene_release(struct scene *scene)
{
	folder_release(&scene->folder);
	fd_close(&scene->fd);
	tmpdir_remove(scene->root);
	free(scene->tree);
	free(scene->box);
}

static int note(const char *name, uint64_t inode, bool is_folder, void *arg, struct err *err)
{
	struct scene *scene = arg;
	struct stat st;

	(void)err;
	cr_assert_eq(fstatat(scene->folder.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(st.st_ino, inode, "%s", name);
	cr_assert_eq(S_ISDIR(st.st_mode), is_folder, "%s", name);
	if (strlen(scene->told) + strlen(name) + 2 < sizeof(scene->told))
		strcat(strcat(scene->told, name), " ");
	return 0;
}

static int unfold(struct scene *scene, struct unfold how, struct err *err)
{
	folder_release(&scene->folder);
	cr_assert_eq(folder_open(scene->box, &scene->user, &scene->folder, err), 0, "%s", err->msg);
	how.folder = &scene->folder;
	how.tree = scene->fd;
	how.made = note;
	how.arg = scene;
	return unfold_tree(&how, err);
}

static void expect(const struct scene *scene, const char *name, const char *text, mode_t mode)
{
	CLEANUP(str_freep) char *full = path(scene->box, name);
	CLEANUP(str_freep) char *got = NULL;
	struct stat st;

	cr_assert_eq(fd_read_file(AT_FDCWD, full, 100, &got, NULL), 0, "%s", name);
	cr_assert_str_eq(got, text);
	cr_assert_eq(lstat(full, &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | mode, "%s: %o", name, st.st_mode);
	if (mode != 0600)
		cr_assert_eq(st.st_mtim.tv_sec, WHEN, "%s", name);
}

static bool is_there(const struct scene *scene, const char *name)
{
	CLEANUP(str_freep) char *full = path(scene->box, name);

	return faccessat(AT_FDCWD, full, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(unfold, makes_files_folders_and_links_with_modes_and_times)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	CLEANUP(str_freep) char *link = path(scene.box, "d/link");
	struct err err = ERR_INIT;
	char target[64] = "";

	cr_assert_eq(unfold(&scene, (struct unfold){.exclusive = true}, &err), 0, "%s", err.msg);
	expect(&scene, "d/file", "text", 0644);
	expect(&scene, "d/e/prog", "program", 0755);
	cr_assert_gt(readlink(link, target, sizeof(target) - 1), 0);
	cr_assert_str_eq(target, "../../anywhere");
	cr_assert(strstr(scene.told, "d "));
	cr_assert(strstr(scene.told, "d/e/prog "));
	cr_assert(strstr(scene.told, "d/link "));
}

Test(unfold, replaces_files_and_keeps_folders)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	struct err err = ERR_INIT;

	make_folder(scene.box, "d");
	write_file(scene.box, "d/mine", "mine", 0600);
	write_file(scene.box, "d/file", "something longer than that", 0600);
	write_file(scene.box, "d/link", "no link", 0600);
	write_file(scene.root, "outside", "outside", 0600);
	make_folder(scene.box, "d/e");
	make_link(scene.box, "d/e/prog", "../../../outside");
	cr_assert_eq(unfold(&scene, (struct unfold){0}, &err), 0, "%s", err.msg);
	expect(&scene, "d/file", "text", 0644);
	expect(&scene, "d/e/prog", "program", 0755);
	expect(&scene, "d/mine", "mine", 0600);
	cr_assert_null(strstr(scene.told, "d/e "), "it was there");
	expect(&scene, "../outside", "outside", 0600);
	cr_assert_eq(unfold(&scene, (struct unfold){0}, &err), 0, "%s", err.msg);
}

Test(unfold, goes_through_no_link_and_over_no_folder)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	CLEANUP(str_freep) char *link = path(scene.box, "d");
	struct err err = ERR_INIT;

	make_folder(scene.root, "elsewhere");
	make_link(scene.box, "d", "../elsewhere");
	cr_assert_lt(unfold(&scene, (struct unfold){0}, &err), 0);
	cr_assert(strstr(err.msg, "/d is no folder, or a symbolic link"), "%s", err.msg);
	cr_assert_not(is_there(&scene, "../elsewhere/file"));
	cr_assert_eq(unlink(link), 0);
	make_folder(scene.box, "d");
	make_folder(scene.box, "d/file");
	cr_assert_eq(unfold(&scene, (struct unfold){0}, &err), -EISDIR);
	cr_assert(strstr(err.msg, "d/file"), "%s", err.msg);
}

Test(unfold, exclusive_replaces_nothing_and_takes_back_what_it_made)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	struct err err = ERR_INIT;

	make_folder(scene.box, "d");
	write_file(scene.box, "d/link", "mine", 0600);
	cr_assert_eq(unfold(&scene, (struct unfold){.exclusive = true}, &err), -EEXIST);
	cr_assert(strstr(err.msg, "d/link is in the way"), "%s", err.msg);
	cr_assert_not(is_there(&scene, "d/file"));
	cr_assert_not(is_there(&scene, "d/e"));
	expect(&scene, "d/link", "mine", 0600);
}

Test(unfold, a_failure_in_the_middle_leaves_no_half_file)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	struct err err = ERR_INIT;

	if (fault_setup("put.copy:2:ENOSPC") < 0)
		cr_skip_test("no fault points in this build");
	cr_assert_eq(unfold(&scene, (struct unfold){.exclusive = true}, &err), -ENOSPC);
	cr_assert_not(is_there(&scene, "d"));
	fault_setup(NULL);
	cr_assert_eq(unfold(&scene, (struct unfold){.exclusive = true}, &err), 0, "%s", err.msg);
}

Test(unfold, hardlinks_are_the_trees_own_files)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	CLEANUP(str_freep) char *to = path(scene.box, "d/file");
	CLEANUP(str_freep) char *from = path(scene.tree, "d/file");
	struct err err = ERR_INIT;
	struct stat a, b;

	for (int i = 0; i < 2; i++)
		cr_assert_eq(
			unfold(&scene, (struct unfold){.hardlink = true}, &err), 0, "%s", err.msg);
	cr_assert_eq(stat(from, &a), 0);
	cr_assert_eq(stat(to, &b), 0);
	if (a.st_ino != b.st_ino)
		cr_assert_eq(a.st_nlink, 1, "neither shared blocks nor a link");
	else
		cr_assert_eq(a.st_nlink, 2, "a temporary name was left");
}

Test(unfold, has_a_limit_to_its_depth)
{
	CLEANUP(scene_release) struct scene scene = scene_make();
	struct err err = ERR_INIT;
	int fd = fcntl(scene.fd, F_DUPFD_CLOEXEC, 3);

	fd_expect(1024);
	for (int i = 0; i < UNFOLD_DEPTH_MAX + 1; i++) {
		int next;

		cr_assert_eq(mkdirat(fd, "x", 0755), 0);
		next = openat(fd, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(next, 0);
		close(fd);
		fd = next;
	}
	close(fd);
	cr_assert_eq(unfold(&scene, (struct unfold){.exclusive = true}, &err), -ELOOP);
	cr_assert_not(is_there(&scene, "x"));
}
