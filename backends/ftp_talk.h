/*
 * What is said on the control connection of an FTP server (RFC 959): at which command it went
 * wrong, and what answers tell that libcurl keeps to itself.
 */
#ifndef FETCHFS_BACKENDS_FTP_TALK_H
#define FETCHFS_BACKENDS_FTP_TALK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FTP_TALK_MAX  ((size_t)64 * 1024) /* bytes that a server may say for one request */
#define FTP_TEXT_MAX  96
#define FTP_UNKNOWN   INT64_C(-1)
#define FTP_VERB_SIZE 8

struct ftp_talk {
	char verb[FTP_VERB_SIZE]; /* the last command; "" before the first one */
	int reply;                /* the code of the last answer; 0: none */
	char text[FTP_TEXT_MAX];  /* what it says for people, as it may be shown */
	int64_t size;             /* as SIZE has it, or FTP_UNKNOWN */
	bool no_rest;             /* REST was refused */
	bool has_tls;             /* from the first byte, or since AUTH */
	size_t heard;             /* bytes */
};

#define FTP_TALK_INIT                                                                              \
	(struct ftp_talk)                                                                          \
	{                                                                                          \
		.size = FTP_UNKNOWN                                                                \
	}

/* We said the @len bytes at @line, which may be a password: only the command is kept. */
void ftp_talk_say(struct ftp_talk *talk, const char *line, size_t len);

/* The server said them. -EBADMSG when it does not stop talking. */
int ftp_talk_hear(struct ftp_talk *talk, const char *line, size_t len, struct err *err);

/* The server knows no such command. */
bool ftp_talk_is_unknown(const struct ftp_talk *talk, const char *verb);

/* What the last answer says went wrong, as an error; 0: it says nothing of the kind. */
int ftp_talk_judge(const struct ftp_talk *talk, struct err *err);

#endif
