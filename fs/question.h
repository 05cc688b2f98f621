/*
 * Questions to origins, and who waits for the answers: fetchfs_stat(), fetchfs_folder_ask(), or an
 * archive that is fetched and unpacked.
 *
 * Asking takes a thread for as long as the origin takes. So that one that says nothing keeps none
 * from the others, each host has a line of its own: as many of its questions are asked at a time
 * as a host may have threads (the fewer, the more the others have), the rest wait there, without
 * one. A question that nobody waits for when its turn comes is dropped; one that has been asked
 * goes on for QUESTION_LATE_MS, so that an answer which is late for a lookup is remembered for the
 * next one.
 *
 * An archive is waited for without a thread, and only unpacked on one. Nobody keeps its download
 * going who does not wait for it.
 */
#ifndef FETCHFS_FS_QUESTION_H
#define FETCHFS_FS_QUESTION_H

#include "fs/ask.h"

#define QUESTION_LATE_MS 10000

/* How many threads ask: each takes a connection, and downloads need some, too. */
unsigned int question_threads(const struct fetchfs *fetchfs);

/* Let @ask wait for the answer, to a new question or to one that is under way. After an error it
 * does not. */
int question_join(struct ask *ask, struct err *err);

/* The request of @ask has been claimed by other than the answer. */
void question_leave(struct ask *ask);

#endif
