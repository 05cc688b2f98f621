/* What FTP servers say: which errors it means. */
#include "backends/ftp_talk.h"

#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static void say(struct ftp_talk *talk, const char *line)
{
	ftp_talk_say(talk, line, strlen(line));
}

static void hear(struct ftp_talk *talk, const char *line)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ftp_talk_hear(talk, line, strlen(line), &err), 0, "%s", err.msg);
}

/* The error of @answer to @command, with @size known or FTP_UNKNOWN. */
static struct err judged(const char *command, const char *answer, int64_t size)
{
	struct ftp_talk talk = FTP_TALK_INIT;
	struct err err = ERR_INIT;

	if (command)
		say(&talk, command);
	hear(&talk, answer);
	talk.size = size;
	(void)ftp_talk_judge(&talk, &err);
	return err;
}

Test(ftp_talk, codes_become_errors)
{
	static const struct {
		const char *command;
		const char *answer;
		int64_t size;
		int code;
		bool retry;
		const char *text;
	} cases[] = {
		{NULL, "421 Too many\r\n", -1, EIO, true, "421"},
		{"RETR x\r\n", "421 Timeout\r\n", 5, EIO, true, "421"},
		{"PASS hunter2\r\n", "530 hunter2 is wrong\r\n", -1, EACCES, false, "refused: 530"},
		{"PASS x\r\n", "530 Sorry, the maximum number of clients\r\n", -1, EIO, true,
			"530"},
		{"PASS x\r\n", "430 Invalid\r\n", -1, EACCES, false, "430"},
		{"PASS hunter2\r\n", "450 hunter2 is busy\r\n", -1, EIO, true, "450"},
		{"USER x\r\n", "500 What?\r\n", -1, EACCES, false, "500"},
		{"SIZE x\r\n", "550 Could not get file size.\r\n", -1, ENOENT, false,
			"no such file"},
		{"SIZE x\r\n", "550 x: Permission denied\r\n", -1, EACCES, false, "550"},
		{"RETR x\r\n", "550 Failed to open file.\r\n", 5, EACCES, false, "Failed to open"},
		{"RETR x\r\n", "550 Failed to open file.\r\n", -1, ENOENT, false, "no such file"},
		{"CWD x\r\n", "550 No\r\n", 5, ENOENT, false, "no such file"},
		{"RETR x\r\n", "425 No data connection\r\n", 5, EIO, true, "425"},
		{"RETR x\r\n", "451 Disk\x1b[2J\r\n", 5, EIO, true, "451: Disk?"},
		{"AUTH TLS\r\n", "500 Unknown\r\n", -1, EHOSTUNREACH, false, "has no TLS"},
		{"AUTH TLS\r\n", "530 Please login.\r\n", -1, EHOSTUNREACH, false, "530 to AUTH"},
		{"AUTH TLS\r\n", "431 No\r\n", -1, EHOSTUNREACH, false, "431 to AUTH"},
		{"AUTH TLS\r\n", "421 Too many\r\n", -1, EIO, true, "421"},
		{"PROT P\r\n", "536 No\r\n", -1, EHOSTUNREACH, false, "536 to PROT"},
		{"USER x\r\n", "530 Anonymous sessions must use encryption.\r\n", -1, EACCES, false,
			"demands TLS"},
		{"USER x\r\n", "550 SSL/TLS required\r\n", -1, EACCES, false, "demands TLS"},
		{"USER x\r\n", "503 Use AUTH first.\r\n", -1, EACCES, false, "demands TLS"},
		{"USER x\r\n", "421 Sorry, cleartext sessions are not accepted\r\n", -1, EACCES,
			false, "demands TLS"},
		{"PASS x\r\n", "534 Policy\r\n", -1, EACCES, false, "demands TLS"},
		{"RETR ssl\r\n", "522 Data connections must be so.\r\n", 5, EACCES, false,
			"demands TLS"},
		{"PASS ssl\r\n", "530 ssl is wrong\r\n", -1, EACCES, false, "login was refused"},
		{"SIZE ssl\r\n", "550 ssl: none\r\n", -1, ENOENT, false, "no such file"},
		{"RETR x\r\n", "226 Fine\r\n", 5, 0, false, ""},
		{"TYPE I\r\n", "500 No\r\n", -1, 0, false, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = judged(cases[i].command, cases[i].answer, cases[i].size);

		cr_assert_eq(err.code, cases[i].code, "%zu: %d %s", i, err.code, err.msg);
		cr_assert_eq(err.retry, cases[i].retry, "%zu", i);
		cr_assert_not_null(strstr(err.msg, cases[i].text), "%zu: %s", i, err.msg);
		cr_assert_null(strstr(err.msg, "hunter2"));
	}
}

Test(ftp_talk, over_tls_is_not_told_to_use_it)
{
	struct ftp_talk talk = FTP_TALK_INIT;
	struct err err = ERR_INIT;

	say(&talk, "AUTH TLS\r\n");
	hear(&talk, "234 Go on\r\n");
	say(&talk, "USER x\r\n");
	hear(&talk, "530 A TLS certificate of yours is needed\r\n");
	cr_assert_eq(ftp_talk_judge(&talk, &err), -EACCES);
	cr_assert_str_eq(err.msg, "the login was refused: 530");
}

Test(ftp_talk, keeps_the_size_but_takes_no_time_for_one)
{
	struct ftp_talk talk = FTP_TALK_INIT;

	say(&talk, "MDTM x\r\n");
	hear(&talk, "213 20200101000000\r\n");
	cr_assert_eq(talk.size, FTP_UNKNOWN);
	say(&talk, "SIZE x\r\n");
	hear(&talk, "213-not yet\r\n");
	hear(&talk, "213 1099511627776\r\n");
	cr_assert_eq(talk.size, INT64_C(1099511627776));
	say(&talk, "SIZE x\r\n");
	hear(&talk, "213 12345678901234567890\r\n");
	cr_assert_eq(talk.size, FTP_UNKNOWN);
	hear(&talk, "213 -5\r\n");
	cr_assert_eq(talk.size, FTP_UNKNOWN);
	say(&talk, "REST 0\r\n");
	hear(&talk, "502 No\r\n");
	cr_assert(talk.no_rest);
}

Test(ftp_talk, keeps_no_more_of_a_command_than_its_verb)
{
	struct ftp_talk talk = FTP_TALK_INIT;

	say(&talk, "PASS hunter2\r\n");
	cr_assert_str_eq(talk.verb, "PASS");
	for (size_t i = 0; i + 7 <= sizeof(talk); i++)
		cr_assert_neq(memcmp((char *)&talk + i, "hunter2", 7), 0);
	say(&talk, "averylongcommand x\r\n");
	cr_assert_str_eq(talk.verb, "AVERYLO");
	say(&talk, "mlsd\r\n");
	hear(&talk, "500 What?\r\n");
	cr_assert(ftp_talk_is_unknown(&talk, "MLSD"));
	cr_assert(!ftp_talk_is_unknown(&talk, "LIST"));
}

Test(ftp_talk, has_an_end)
{
	struct ftp_talk talk = FTP_TALK_INIT;
	struct err err = ERR_INIT;
	size_t lines = 0;

	while (ftp_talk_hear(&talk, "220-hello\r\n", 11, &err) == 0)
		lines++;
	cr_assert_eq(err.code, EBADMSG);
	cr_assert_leq(11 * lines, FTP_TALK_MAX);
	cr_assert_geq(11 * lines, FTP_TALK_MAX - 11);
}
