/*
 * Whose turn it is: of each user but the cache's owner only so many downloads are under way at the
 * same time, in this process. The rest waits in a line of that user's, first come, first served,
 * and takes neither thread nor connection: who fills a line holds up nobody else.
 *
 * A download that several users wait for has a place in the line of each of them. It goes with the
 * first whose turn comes, at once with who has room, and counts for that one, to its end.
 *
 * All functions are brief, never fail, and are called under the one lock that guards it all. What
 * cannot be counted for lack of memory goes.
 */
#ifndef FETCHFS_FETCH_TURNS_H
#define FETCHFS_FETCH_TURNS_H

#include <stdbool.h>
#include <sys/types.h>

struct turns {
	unsigned int limit; /* downloads of one user; 0: as many as there are */
	uid_t owner;        /* is not limited */

	/* turns.c's, zero at first */
	unsigned int waiting;     /* downloads in lines */
	struct turns_user *users; /* who have some; none are left when all downloads have ended */
};

enum ticket_state {
	TICKET_NEW,
	TICKET_WAITS,
	TICKET_GOES,
	TICKET_OVER,
};

/* Of one download. It begins as zeros, and is nobody's to be freed while it waits or goes. */
struct ticket {
	enum ticket_state state;
	unsigned int flyers;        /* while it goes: those who have yet to call turns_end() */
	struct turns_user *user;    /* for whom it counts while it goes, or NULL */
	struct turns_place *places; /* while it waits */
};

/* @uid wants it. true: it goes from now on, and the caller starts it. Else it waits, or somebody
 * has started it before. */
bool turns_ask(struct turns *turns, struct ticket *ticket, uid_t uid);

/*
 * The same for what needs no turn, since most likely little is to be fetched: what is here already,
 * but has to be confirmed by its origin, or read. It counts for nobody, to its end, even if the
 * origin then says that it is another version, which all has to come: to put that in a line would
 * make readers of what is cached wait, too, or need a request that can be taken back.
 */
bool turns_pass(struct turns *turns, struct ticket *ticket);

/* The same for one that was over and has to go on; one that still goes has one more to end it. */
bool turns_ask_again(struct turns *turns, struct ticket *ticket, uid_t uid);

/* It goes no more. Returns the one whose turn it is thereby, for the caller to start, or NULL. */
struct ticket *turns_end(struct turns *turns, struct ticket *ticket);

/* Whether another one would go if it ended. */
bool turns_is_awaited(const struct ticket *ticket);

/* Nobody wants it any more. true: it was waiting, and will never go. */
bool turns_leave(struct turns *turns, struct ticket *ticket);

#endif
