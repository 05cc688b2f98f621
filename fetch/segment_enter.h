/*
 * Where the leader of a flight, on its way to the end of the file, meets chunks that others have
 * brought or are bringing: receive them once more, or break off and ask for what lies behind?
 */
#ifndef FETCHFS_FETCH_SEGMENT_ENTER_H
#define FETCHFS_FETCH_SEGMENT_ENTER_H

#include "fetch/segment.h"

enum segment_entered {
	SEGMENT_OURS,   /* claimed: write it */
	SEGMENT_OTHERS, /* receive it, and drop it */
	SEGMENT_END,    /* too much of others' follows */
};

/*
 * The leader's @segment comes to the chunk at its position. Also tells the backend where the
 * leader will have to end (sink.end). Helpers claimed all of their run beforehand: not for them.
 */
enum segment_entered segment_enter(struct segment *segment);

#endif
