#include "backends/ftp_talk.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CODE_LENGTH   3
#define SIZE_DIGITS   18 /* more of them are no size */
#define REPLY_AUTH_OK 234
#define REPLY_BYE     421
#define REPLY_CREDS   430
#define REPLY_CLEAR   522 /* data connections, RFC 4217 */
#define REPLY_LOGIN   530
#define REPLY_POLICY  534 /* RFC 4217 */
#define REPLY_NOFILE  550

static bool is_any(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(word, words[i]))
			return true;
	return false;
}

void ftp_talk_say(struct ftp_talk *talk, const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && n < sizeof(talk->verb) - 1 && isalpha((unsigned char)line[n])) {
		talk->verb[n] = (char)toupper((unsigned char)line[n]);
		n++;
	}
	talk->verb[n] = '\0';
	talk->reply = 0;
	talk->text[0] = '\0';
}

/* The code of a line that ends an answer, or 0: more lines follow, or it is none. */
static int code_of(const char *line, size_t len)
{
	int code = 0;

	if (len < CODE_LENGTH)
		return 0;
	for (size_t i = 0; i < CODE_LENGTH; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		code = 10 * code + (line[i] - '0');
	}
	return len == CODE_LENGTH || line[CODE_LENGTH] != '-' ? code : 0;
}

static int64_t number_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= SIZE_DIGITS && !text[digits] ? strtoll(text, NULL, 10)
								    : FTP_UNKNOWN;
}

int ftp_talk_hear(struct ftp_talk *talk, const char *line, size_t len, struct err *err)
{
	size_t rest = 0;
	int code;

	talk->heard += len;
	if (talk->heard > FTP_TALK_MAX)
		return err_set(err, ERR_REMOTE, EBADMSG,
			"the server's answers are longer than %zu bytes", FTP_TALK_MAX);
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	code = code_of(line, len);
	if (!code)
		return 0;
	talk->reply = code;
	while (CODE_LENGTH + rest < len && line[CODE_LENGTH + rest] == ' ')
		rest++;
	len -= CODE_LENGTH + rest;
	if (len >= sizeof(talk->text))
		len = sizeof(talk->text) - 1;
	memcpy(talk->text, line + CODE_LENGTH + rest, len);
	talk->text[len] = '\0';
	if (str_equal(talk->verb, "AUTH") && code == REPLY_AUTH_OK)
		talk->has_tls = true;
	if (str_equal(talk->verb, "SIZE") && code == 213)
		talk->size = number_of(talk->text);
	if (str_equal(talk->verb, "REST") && code >= 400)
		talk->no_rest = true;
	str_make_plain(talk->text);
	return 0;
}

bool ftp_talk_is_unknown(const struct ftp_talk *talk, const char *verb)
{
	return str_equal(talk->verb, verb) && talk->reply >= 500 && talk->reply <= 504;
}

static bool says_any(const struct ftp_talk *talk, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasestr(talk->text, words[i]))
			return true;
	return false;
}

/* Before anything was asked for. */
static bool is_login(const struct ftp_talk *talk)
{
	static const char *const verbs[] = {"", "USER", "PASS", "ACCT", "PBSZ"};

	return is_any(talk->verb, verbs, ARRAY_SIZE(verbs));
}

/* What we asked for, and the server does not have. */
static bool lacks_tls(const struct ftp_talk *talk)
{
	return talk->reply >= 400 && talk->reply != REPLY_BYE &&
	       (str_equal(talk->verb, "AUTH") || str_equal(talk->verb, "PROT"));
}

/* Servers have many codes for it, also those of a wrong name: then only the words tell. They are
 * looked at where they repeat nothing that we named. */
static bool demands_tls(const struct ftp_talk *talk)
{
	static const char *const verbs[] = {"", "USER", "EPSV", "PASV", "EPRT", "PORT"};
	static const char *const words[] = {"tls", "ssl", "encrypt", "cleartext", "use auth"};

	if (talk->has_tls)
		return false;
	if (talk->reply == REPLY_CLEAR || talk->reply == REPLY_POLICY)
		return true;
	return (talk->reply == REPLY_BYE || talk->reply >= 500) &&
	       is_any(talk->verb, verbs, ARRAY_SIZE(verbs)) &&
	       says_any(talk, words, ARRAY_SIZE(words));
}

/* One code for a wrong password and for a full house; the text may repeat the password. */
static int judge_login(const struct ftp_talk *talk, struct err *err)
{
	static const char *const full[] = {"too many", "maximum", "limit", "busy", "try again"};

	if (says_any(talk, full, ARRAY_SIZE(full)))
		return err_set_retry(err, ERR_REMOTE, EIO, 0,
			"the server takes no more connections: %d", talk->reply);
	if (!talk->verb[0]) /* nothing was said yet */
		return err_set(err, ERR_REMOTE, EACCES, "refused: %d: %s", talk->reply, talk->text);
	return err_set(err, ERR_REMOTE, EACCES, "the login was refused: %d", talk->reply);
}

/* 550 is all that the protocol has for "no such file", "a folder", and "not for you". */
static int judge_name(const struct ftp_talk *talk, struct err *err)
{
	static const char *const denied[] = {
		"permission denied", "access denied", "access is denied", "not allowed"};
	bool is_there = str_equal(talk->verb, "RETR") && talk->size != FTP_UNKNOWN;

	if (is_there || says_any(talk, denied, ARRAY_SIZE(denied)))
		return err_set(err, ERR_REMOTE, EACCES, "%d: %s", talk->reply, talk->text);
	return err_set(err, ERR_REMOTE, ENOENT, "no such file: %d: %s", talk->reply, talk->text);
}

int ftp_talk_judge(const struct ftp_talk *talk, struct err *err)
{
	static const char *const names[] = {"SIZE", "MDTM", "RETR", "CWD", "LIST", "MLSD"};

	if (lacks_tls(talk))
		return err_set(err, ERR_NETWORK, EHOSTUNREACH,
			"the server has no TLS, which ftp_tls demands: %d to %s", talk->reply,
			talk->verb);
	if (demands_tls(talk))
		return err_set(err, ERR_REMOTE, EACCES,
			"the server demands TLS (ftp_tls = yes): %d", talk->reply);
	if (talk->reply == REPLY_BYE)
		return err_set_retry(
			err, ERR_REMOTE, EIO, 0, "the server ends the connection: %d", talk->reply);
	if (talk->reply == REPLY_LOGIN || talk->reply == REPLY_CREDS ||
		(is_login(talk) && talk->reply >= 500))
		return judge_login(talk, err);
	/* what is said to a login may repeat the password */
	if (talk->reply >= 400 && talk->reply < 500 && is_login(talk) && talk->verb[0])
		return err_set_retry(err, ERR_REMOTE, EIO, 0, "%d to the login", talk->reply);
	if (talk->reply >= 400 && talk->reply < 500)
		return err_set_retry(err, ERR_REMOTE, EIO, 0, "%d: %s", talk->reply, talk->text);
	if (talk->reply >= REPLY_NOFILE && is_any(talk->verb, names, ARRAY_SIZE(names)))
		return judge_name(talk, err);
	return 0;
}
