/*
 * What the path of a request asks rawserver to do: a chain of behaviours and then a file.
 *
 *	/once/BEHAVIOUR…        the next behaviour is only for the first GET of this path
 *
 * What the headers say:
 *	/length/TEXT/FILE       this for the Content-Length
 *	/lie/DELTA/FILE         the Content-Length is so much more, or less, than the body
 *	/untilclose/FILE        neither a length nor chunks: the end of the connection ends the body
 *	/status/LINE/FILE       another status line; the body follows as ever
 *	/line/TEXT/FILE         one more line in the headers; "%00" and "%0D%0A" are possible
 *	/pad/BYTES/FILE         one more header of so many bytes
 *	/many/N/FILE            so many more headers
 *	/interim/N/FILE         so many "103 Early Hints" before the answer
 *	/garbage/FILE           bytes at random instead of an answer
 *	/http09/FILE            the body alone
 *	/stopinhead/N/FILE      N bytes of the headers, and then nothing
 *	/keep/FILE              the connection stays, for other requests
 *
 * How the body goes:
 *	/bytewise/US/FILE       headers and body one byte a packet, so many microseconds apart
 *	/chunked/FILE           in chunks
 *	/badchunk/N/FILE        in chunks; after N bytes a size that is none
 *	/hugechunk/N/FILE       in chunks; after N bytes a size of more than 64 bits
 *	/nolast/FILE            in chunks; the last one, which is empty, is missing
 *	/endless/FILE           in chunks, again and again
 *	/after/TEXT/FILE        more bytes, after the end; percent-encoded
 *	/trailers/FILE          in chunks; trailers without an end
 *	/cut/N/FILE             the end after N bytes of it (with TLS: a proper one)
 *	/reset/N/FILE           RST after N bytes
 *	/cuttls/N/FILE          the end in the middle of a TLS record after N bytes
 *	/nonotify/FILE          TLS ends without a close_notify
 */
#ifndef FETCHFS_TESTS_RAWSCRIPT_H
#define FETCHFS_TESTS_RAWSCRIPT_H

#include "tests/support/rawconn.h"
#include "tests/support/tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWSCRIPT_LINE 1024

enum rawscript_framing {
	FRAMING_LENGTH,
	FRAMING_CHUNKED,
	FRAMING_CLOSE, /* the end of the connection is that of the body */
	FRAMING_NONE,  /* no headers at all */
};

struct rawscript {
	/* the headers */
	enum rawscript_framing framing;
	char length_text[64]; /* "": the truth, and @lie more */
	int64_t lie;
	char status_line[RAWSCRIPT_LINE]; /* "": as it should be */
	char line[RAWSCRIPT_LINE];        /* @line_len bytes, NUL may be among them */
	size_t line_len;
	size_t pad; /* bytes of one more header */
	unsigned int many;
	unsigned int interim;
	bool garbage;
	uint64_t head_max; /* bytes of the headers, and then nothing; 0: all */
	bool keep;         /* the connection */

	/* the body */
	bool bytewise;
	unsigned int pause_us;
	const char *bad_size; /* of the chunk after @stop_at, or NULL */
	bool no_last;
	bool endless;
	bool trailers;
	char after[RAWSCRIPT_LINE]; /* after the end of the body */
	uint64_t stop_at;           /* bytes, then comes @end */
	enum rawconn_end end;
};

/* Read the behaviours off the front of @path, for a request of @method. The file: "/NAME". */
const char *rawscript_read(
	struct rawscript *script, const char *path, const char *method, struct tally *tally);

#endif
