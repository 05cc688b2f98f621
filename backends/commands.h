/*
 * What the calling threads want of the curl thread: a list of transfers, each with its commands.
 */
#ifndef FETCHFS_BACKENDS_COMMANDS_H
#define FETCHFS_BACKENDS_COMMANDS_H

#include "backends/transfer_private.h"

#include <pthread.h>

struct commands {
	pthread_mutex_t mu;     /* also of the commands of each transfer */
	struct transfer *first; /* guarded by mu */
	struct transfer *last;  /* guarded by mu */
};

void commands_init(struct commands *commands);
void commands_release(struct commands *commands);

/* true: it is the only one there, and who takes them is to be woken. */
bool commands_give(struct commands *commands, struct transfer *transfer, enum command command);

/*
 * The next, of a transfer that begins or runs; false: there is none. As long as a transfer is in
 * the list or has a running easy handle its caller has not left transfer_finish(): it takes itself
 * off the list, under the lock, before it does.
 */
bool commands_take(struct commands *commands, struct transfer **ret, unsigned int *ret_commands);

/* Take it off the list, if it is there. */
void commands_forget(struct commands *commands, struct transfer *transfer);

#endif
