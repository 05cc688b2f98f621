/* fetchfs get: a copy of one artifact, which belongs to who asked for it. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "cli/artifact.h"
#include "cli/cli.h"
#include "cli/newfile.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct get {
	struct artifact_request request;
	const char *file; /* or NULL: by the name of the URI, here */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct get *get = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &get->request;
		return 0;
	case ARGP_KEY_ARG:
		if (!get->request.uri)
			get->request.uri = arg;
		else if (!get->file)
			get->file = arg;
		else
			argp_error(state, "one URI and one FILE at a time");
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a URI is missing");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_folder(const char *path)
{
	struct stat st;

	return str_has_suffix(path, "/") || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* Where the copy goes: *ret is the caller's to free(). */
static int find_place(const struct get *get, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *name = NULL;
	const char *folder = get->file ? get->file : "";
	int r;

	if (get->file && !is_folder(get->file)) {
		*ret = str_copy(get->file);
		return *ret ? 0 : err_oom(err);
	}
	r = uri_of_text(get->request.uri, &uri, err);
	if (r < 0)
		return r;
	r = uri_basename(&uri, &name, err);
	if (r == -EINVAL)
		return err_set(err, ERR_USAGE, EINVAL,
			"it has no name for a copy; say one: fetchfs get URI FILE");
	if (r < 0)
		return r;
	*ret = str_printf(
		"%s%s%s", folder, *folder && !str_has_suffix(folder, "/") ? "/" : "", name);
	return *ret ? 0 : err_oom(err);
}

static int copy_into(struct artifact *artifact, const char *path, struct err *err)
{
	CLEANUP(newfile_release) struct newfile file = {.fd = -1};
	int r = newfile_open(path, 0666, &file, err);

	if (r < 0)
		return r;
	r = file.as_it_is ? artifact_write(artifact, file.fd, path, err)
			  : artifact_copy(artifact, file.fd, path, err);
	return r < 0 ? r : newfile_commit(&file, err);
}

int cmd_get(struct cli *cli, int argc, char **argv)
{
	const struct argp_child children[] = {{.argp = &artifact_argp}, {0}};
	const struct argp argp = {.parser = parse, .children = children};
	CLEANUP(str_freep) char *shown = NULL;
	CLEANUP(str_freep) char *path = NULL;
	struct get get = {0};
	struct artifact artifact = {.fd = -1};
	struct err err = ERR_INIT;
	bool of_cache = false;
	bool is_stdout;
	int r = 0;

	cli_parse(cli, &argp, argc, argv, &get);
	if (!artifact_prepare(cli, &get.request))
		return EXIT_USAGE;
	shown = cli_shown(get.request.uri);
	is_stdout = str_equal(get.file, "-");
	if (!is_stdout)
		r = find_place(&get, &path, &err);
	if (r == 0)
		r = artifact_open(cli, &get.request, &artifact, &of_cache, &err);
	if (r == 0 && is_stdout)
		r = artifact_write(&artifact, STDOUT_FILENO, "stdout", &err);
	else if (r == 0)
		r = copy_into(&artifact, path, &err);
	if (r == 0)
		artifact_warn_old(cli, &artifact, shown);
	artifact_close(&artifact, r == 0);
	if (r == -EPIPE)
		cli_end_by_pipe();
	return r < 0 ? cli_fail(cli, of_cache ? NULL : shown, &err) : EXIT_DONE;
}
