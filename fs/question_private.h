/* What the files of question.h share. */
#ifndef FETCHFS_FS_QUESTION_PRIVATE_H
#define FETCHFS_FS_QUESTION_PRIVATE_H

#include "fs/ask.h"

#include <stdatomic.h>
#include <uthash.h>

/* What goes to the origin, for all who ask it until the answer comes. */
struct question {
	struct fs *fs;
	char *id;
	struct wanted wanted;
	enum ask_kind kind;
	uid_t uid;
	atomic_uint refs;
	/* ASK_TREE: the archive, which goes with the last reference, the wait for it, and how that
	 * ended */
	struct fetchfs_file *file;
	struct fetchfs_wait wait;
	struct err err;
	/* guarded by fs->mu */
	struct ask *asks;      /* a reference each */
	unsigned int waiters;  /* of them wait still */
	int64_t left_ms;       /* when the last of these went, on the monotonic clock */
	bool closed;           /* it is in the table no more, so that nobody joins */
	bool waiting;          /* for the archive: nobody has ended that wait, nor … */
	bool woken;            /* … has it ended by itself */
	struct question *prev; /* in the line of its host */
	struct question *next;
	UT_hash_handle hh;
};

/* Answer all who wait; @info: NULL for an error. The question is consumed. */
void question_finish(
	struct question *question, const struct fetchfs_info *info, const struct err *err);

/* Give back a reference. */
void question_unref(struct question *question);

/* Nobody joins any more: who asks now asks anew. Under fs->mu. */
void question_close(struct question *question);

/* Whether anybody waits for it, or did within the last @late_ms; if not, nobody will. */
bool question_is_waited_for(struct question *question, int64_t late_ms);

/* What the library is asked; valid as long as @question. */
struct fetchfs_request question_request(struct question *question);

/* question_host.c: ask the origin, once it is its turn. */
void question_send(struct question *question);

/* question_tree.c: fetch the archive, and unpack it; @arg is the question. */
void question_fetch(void *arg);

/*
 * Under fs->mu: whether the wait is to be ended, since nobody waits with it. Then it is the
 * caller's to call question_give_up(), with a reference of its own and under no lock: a disk that
 * hangs may keep the transfer's lock, and whoever needs fs->mu would hang with it.
 */
bool question_end_wait(struct question *question);
void question_give_up(void *arg);

#endif
