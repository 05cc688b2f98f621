#include "backends/hadoop_client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct hadoop_client {
	char *program; /* or NULL */
	char **environment;
	unsigned int most;
	pthread_mutex_t mu;
	pthread_cond_t freed; /* one more may run */
	unsigned int running; /* guarded by mu */
};

/* It may hold secrets. */
static void free_list(char **list)
{
	for (char **item = list; item && *item; item++) {
		explicit_bzero(*item, strlen(*item));
		free(*item);
	}
	free(list);
}

static char **copy_list(const char *const *list)
{
	size_t count = 0;
	char **ret;

	while (list && list[count])
		count++;
	ret = calloc(count + 1, sizeof(*ret));
	for (size_t i = 0; ret && i < count; i++) {
		ret[i] = str_copy(list[i]);
		if (!ret[i]) {
			free_list(ret);
			return NULL;
		}
	}
	return ret;
}

struct hadoop_client *hadoop_client_new(
	const char *program, const char *const *environment, unsigned int most)
{
	struct hadoop_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	pthread_mutex_init(&client->mu, NULL);
	clock_cond_init(&client->freed);
	client->most = most > 0 ? most : 1;
	client->program = str_copy(program);
	client->environment = copy_list(environment);
	if (!client->environment || (program && !client->program)) {
		hadoop_client_free(client);
		return NULL;
	}
	return client;
}

void hadoop_client_free(struct hadoop_client *client)
{
	if (!client)
		return;
	pthread_cond_destroy(&client->freed);
	pthread_mutex_destroy(&client->mu);
	free(client->program);
	free_list(client->environment);
	free(client);
}

static const char *variable(const struct hadoop_client *client, const char *name)
{
	size_t len = strlen(name);

	for (char **item = client->environment; *item; item++)
		if (strncmp(*item, name, len) == 0 && (*item)[len] == '=')
			return *item + len + 1;
	return NULL;
}

static bool is_program(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int hadoop_client_search(
	const struct hadoop_client *client, const char *name, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *copy = str_copy(variable(client, "PATH"));
	char *rest = copy;
	const char *folder;

	while ((folder = strsep(&rest, ":"))) {
		char *path;

		if (folder[0] != '/') /* where we happen to be is nothing to rely on */
			continue;
		path = str_printf("%s/%s", folder, name);
		if (!path)
			return err_oom(err);
		if (is_program(path)) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	return 0;
}

static int there_is_none(struct err *err)
{
	return err_set(err, ERR_USAGE, EPROTONOSUPPORT,
		"it needs Hadoop's client, and there is none: install Hadoop, and set HADOOP_HOME "
		"or 'hadoop = /path/to/bin/hadoop' in [fetch]");
}

int hadoop_client_find(const struct hadoop_client *client, char **ret, struct err *err)
{
	const char *home = variable(client, "HADOOP_HOME");
	CLEANUP(str_freep) char *found = NULL;
	int r;

	if (client->program) {
		if (!is_program(client->program))
			return err_set(err, ERR_USAGE, EPROTONOSUPPORT,
				"it needs Hadoop's client, and 'hadoop = %s' in [fetch] is none",
				client->program);
		*ret = str_copy(client->program);
		return *ret ? 0 : err_oom(err);
	}
	if (home && home[0] == '/') {
		found = str_printf("%s/bin/hadoop", home);
		if (!found)
			return err_oom(err);
		if (!is_program(found))
			str_freep(&found);
	}
	if (!found) {
		r = hadoop_client_search(client, "hadoop", &found, err);
		if (r < 0)
			return r;
	}
	if (!found)
		return there_is_none(err);
	*ret = str_steal(&found);
	return 0;
}

char *const *hadoop_client_environment(const struct hadoop_client *client)
{
	return client->environment;
}

bool hadoop_client_enter(struct hadoop_client *client, bool brief, unsigned int ms)
{
	unsigned int most = brief || client->most == 1 ? client->most : client->most - 1;
	struct timespec until = clock_monotonic_in(ms);
	WITH_LOCK(&client->mu);

	while (client->running >= most)
		if (pthread_cond_timedwait(&client->freed, &client->mu, &until) == ETIMEDOUT)
			break;
	if (client->running >= most)
		return false;
	client->running++;
	return true;
}

void hadoop_client_leave(struct hadoop_client *client)
{
	WITH_LOCK(&client->mu);

	client->running--;
	pthread_cond_broadcast(&client->freed);
}
