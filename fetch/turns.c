#include "fetch/turns.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

/* Where @line is not empty, as many as may be are under way. */
struct turns_user {
	UT_hash_handle hh;
	uid_t uid;
	unsigned int under_way;
	struct turns_place *line;
};

struct turns_place {
	struct turns_user *user;
	struct ticket *ticket;
	struct turns_place *prev; /* in the user's line */
	struct turns_place *next;
	struct turns_place *other; /* of the same ticket */
};

/* NULL: it is not counted. */
static struct turns_user *user_of(struct turns *turns, uid_t uid)
{
	struct turns_user *user;

	if (turns->limit == 0 || uid == turns->owner)
		return NULL;
	HASH_FIND(hh, turns->users, &uid, sizeof(uid), user);
	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	HASH_ADD(hh, turns->users, uid, sizeof(user->uid), user);
	return user;
}

static void forget_idle(struct turns *turns, struct turns_user *user)
{
	if (user->under_way > 0 || user->line)
		return;
	assert(turns->users); /* @user is one of them */
	HASH_DEL(turns->users, user);
	free(user);
}

static bool has_place(const struct ticket *ticket, const struct turns_user *user)
{
	for (const struct turns_place *place = ticket->places; place; place = place->other)
		if (place->user == user)
			return true;
	return false;
}

static void leave_lines(struct turns *turns, struct ticket *ticket)
{
	struct turns_place *place;

	while ((place = ticket->places)) {
		ticket->places = place->other;
		DL_DELETE(place->user->line, place);
		forget_idle(turns, place->user);
		free(place);
	}
	if (ticket->state == TICKET_WAITS)
		turns->waiting--;
}

/* @user: see user_of(). */
static bool go(struct turns *turns, struct ticket *ticket, struct turns_user *user)
{
	if (user)
		user->under_way++;
	leave_lines(turns, ticket);
	ticket->state = TICKET_GOES;
	ticket->flyers = 1;
	ticket->user = user;
	return true;
}

static bool go_or_wait(struct turns *turns, struct ticket *ticket, uid_t uid)
{
	struct turns_user *user = user_of(turns, uid);
	struct turns_place *place;

	if (!user || user->under_way < turns->limit)
		return go(turns, ticket, user);
	if (has_place(ticket, user))
		return false;
	place = calloc(1, sizeof(*place));
	if (!place)
		return go(turns, ticket, NULL);
	place->user = user;
	place->ticket = ticket;
	place->other = ticket->places;
	ticket->places = place;
	DL_APPEND(user->line, place);
	if (ticket->state != TICKET_WAITS)
		turns->waiting++;
	ticket->state = TICKET_WAITS;
	return false;
}

bool turns_ask(struct turns *turns, struct ticket *ticket, uid_t uid)
{
	if (ticket->state == TICKET_GOES || ticket->state == TICKET_OVER)
		return false;
	return go_or_wait(turns, ticket, uid);
}

bool turns_pass(struct turns *turns, struct ticket *ticket)
{
	if (ticket->state == TICKET_GOES || ticket->state == TICKET_OVER)
		return false;
	return go(turns, ticket, NULL);
}

bool turns_ask_again(struct turns *turns, struct ticket *ticket, uid_t uid)
{
	if (ticket->state != TICKET_GOES)
		return go_or_wait(turns, ticket, uid);
	ticket->flyers++;
	return true;
}

struct ticket *turns_end(struct turns *turns, struct ticket *ticket)
{
	struct turns_user *user = ticket->user;
	struct ticket *next;

	assert(ticket->state == TICKET_GOES);
	if (--ticket->flyers > 0)
		return NULL;
	ticket->state = TICKET_OVER;
	ticket->user = NULL;
	if (!user)
		return NULL;
	user->under_way--;
	if (!user->line) {
		forget_idle(turns, user);
		return NULL;
	}
	next = user->line->ticket;
	go(turns, next, user);
	return next;
}

bool turns_is_awaited(const struct ticket *ticket)
{
	return ticket->user && ticket->user->line;
}

bool turns_leave(struct turns *turns, struct ticket *ticket)
{
	if (ticket->state != TICKET_WAITS)
		return false;
	leave_lines(turns, ticket);
	ticket->state = TICKET_OVER;
	return true;
}
