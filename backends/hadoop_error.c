#include "backends/hadoop_error.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* In this order: an exception that has another one as its cause is told by what it is itself. */
static const struct {
	const char *words;
	enum err_kind kind;
	int error;
	bool retry;
	const char *reason;
} meanings[] = {
	{"No such file or directory", ERR_REMOTE, ENOENT, false, "no such file"},
	{"FileNotFoundException", ERR_REMOTE, ENOENT, false, "no such file"},
	{"Is a directory", ERR_REMOTE, EISDIR, false, "it is a folder"},
	{"Permission denied", ERR_REMOTE, EACCES, false, "permission denied"},
	{"AccessControlException", ERR_REMOTE, EACCES, false, "permission denied"},
	{"AccessDeniedException", ERR_REMOTE, EACCES, false, "permission denied"},
	{"AuthenticationException", ERR_REMOTE, EACCES, false, "who asks is not known there"},
	{"AuthorizationException", ERR_REMOTE, EACCES, false, "permission denied"},
	{"No FileSystem for scheme", ERR_USAGE, EPROTONOSUPPORT, false,
		"Hadoop's client does not know this scheme: it lacks a jar, or a setting"},
	{"ClassNotFoundException", ERR_USAGE, EPROTONOSUPPORT, false,
		"Hadoop's client lacks a jar for this scheme"},
	{"JAVA_HOME", ERR_USAGE, EPROTONOSUPPORT, false,
		"Hadoop's client finds no Java: set JAVA_HOME"},
	{"Connection refused", ERR_NETWORK, EHOSTUNREACH, true, "connection refused"},
	{"UnknownHostException", ERR_NETWORK, EHOSTUNREACH, true, "no such host"},
	{"NoRouteToHostException", ERR_NETWORK, EHOSTUNREACH, true, "no route to the host"},
	{"ConnectTimeoutException", ERR_NETWORK, ETIMEDOUT, true, "no connection in time"},
	{"SocketTimeoutException", ERR_NETWORK, ETIMEDOUT, true, "no answer in time"},
	{"ConnectException", ERR_NETWORK, EHOSTUNREACH, true, "no connection"},
	{"StandbyException", ERR_REMOTE, EIO, true, "the namenode is on standby"},
	{"IllegalArgumentException", ERR_USAGE, EINVAL, false, "it is no URI for Hadoop's client"},
	{"URISyntaxException", ERR_USAGE, EINVAL, false, "it is no URI for Hadoop's client"},
};

/* What "cat: `name': why" says after the name, in which anything may stand. */
static const char *without_name(const char *line)
{
	const char *quote = strchr(line, '`');
	const char *rest = NULL;

	if (!quote || (!str_has_prefix(line, "cat: ") && !str_has_prefix(line, "stat: ")))
		return line;
	for (const char *end = quote; (end = strstr(end, "': ")); end++)
		rest = end + strlen("': ");
	return rest ? rest : line;
}

/* The place in the table of what @line means, or its end. */
static size_t meaning_of(const char *line)
{
	const char *why = without_name(line);
	size_t i = 0;

	while (i < ARRAY_SIZE(meanings) && !strstr(why, meanings[i].words))
		i++;
	return i;
}

/* A log's line is no last word: it tells of what was tried again. */
static bool is_last_word(const char *line)
{
	return str_has_prefix(line, "cat: ") || str_has_prefix(line, "stat: ");
}

/* Of last words, else of all lines, the last one that means something. */
static size_t find(const char *text)
{
	CLEANUP(str_freep) char *copy = str_copy(text);
	size_t ret = ARRAY_SIZE(meanings);
	bool last_word = false;
	char *rest = copy;
	const char *line;

	while ((line = strsep(&rest, "\n"))) {
		bool word = is_last_word(line);
		size_t i = meaning_of(line);

		if (i < ARRAY_SIZE(meanings) && (word || !last_word)) {
			ret = i;
			last_word = last_word || word;
		}
	}
	return ret;
}

int hadoop_error(const char *text, int status, struct err *err)
{
	size_t i = find(text);

	if (i < ARRAY_SIZE(meanings)) {
		if (meanings[i].retry)
			return err_set_retry(err, meanings[i].kind, meanings[i].error, 0, "%s",
				meanings[i].reason);
		return err_set(err, meanings[i].kind, meanings[i].error, "%s", meanings[i].reason);
	}
	if (WIFSIGNALED(status))
		return err_set_retry(err, ERR_NETWORK, EIO, 0, "Hadoop's client died: %s",
			strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126)
		return err_set(err, ERR_USAGE, EPROTONOSUPPORT,
			"Hadoop's client cannot be run: try 'hadoop version'");
	return err_set_retry(err, ERR_NETWORK, EIO, 0,
		"Hadoop's client failed (status %d): by hand, 'hadoop fs -stat URI' says why",
		WEXITSTATUS(status));
}
