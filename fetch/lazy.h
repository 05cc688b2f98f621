/*
 * Leading a flight of which only what is read is fetched ([fetch] lazy = ranges).
 *
 * The leader then asks for nothing by itself: it learns the version without the body, starts
 * helpers for what readers anywhere wish, and leaves when nobody has wished anything for a while;
 * the next wish finds a leader again. As soon as somebody needs the whole file it is fetched as
 * any other.
 */
#ifndef FETCHFS_FETCH_LAZY_H
#define FETCHFS_FETCH_LAZY_H

#include "fetch/lead_private.h"

/* Whether @flight is to be led so: it is configured, and nobody here needs all of it. */
bool lazy_suits(struct flight *flight);

/*
 * Ask the origin for the version without its body: into *ret, which fits the partial if that has
 * been started. 1: it does. 0: it cannot be had in parts, fetch it as any other. -ESTALE: it is
 * another one. Or what the origin's failure was.
 */
int lazy_learn(struct lead *lead, struct remote *ret, struct err *err);

/*
 * Before readers are told of the version: what the leader was at, and how helpers failed, is of the
 * past. (From then on a reader may start a helper, whose failure lazy_serve() is to see.)
 */
void lazy_begin(struct flight *flight);

/*
 * Serve wishes. 0: from now on fetch what is missing, if anything is. LEAD_RESTS: nobody wished
 * anything for a while.
 */
int lazy_serve(struct lead *lead, struct err *err);

/* It cannot be fetched so after all: from now on it is a download as any other. */
void lazy_give_up(struct flight *flight);

#endif
