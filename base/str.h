/*
 * Small strings on the heap. They are freed with free(); CLEANUP(str_freep) does it by itself.
 */
#ifndef FETCHFS_BASE_STR_H
#define FETCHFS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* For CLEANUP(). */
void str_freep(char **s);

/* The same for a text that is a secret: nothing of it stays in memory. NULL is ignored. */
void str_free_secret(char *text);
void str_free_secretp(char **text);

/* Give the string away: returns *s and leaves NULL. */
char *str_steal(char **s);

/* A formatted string, the caller's to free(); NULL when out of memory. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Copies; @s may be NULL, which gives NULL. str_copy() is strdup() that takes NULL. */
char *str_copy(const char *s);

/* Copy @s into @buf of @size bytes. false, and an empty @buf, when it does not fit: never cut. */
bool str_fit(char *buf, size_t size, const char *s);

/*
 * The same for people: what does not fit is cut between two characters of UTF-8, and ends in "…".
 * @size is at least 4.
 */
void str_cut(char *buf, size_t size, const char *s);

/* The length of the well-formed UTF-8 sequence at @text (RFC 3629), 0 when there is none. */
size_t str_char(const char *text);

/* The same, but 0 also where @text begins with what a terminal obeys instead of showing it. */
size_t str_char_shown(const char *text);

/* Make one line of it that no terminal obeys: '?' for each byte of what cannot be shown. */
void str_make_plain(char *text);

bool str_equal(const char *a, const char *b); /* NULL equals only NULL */
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);

/*
 * How many letters must be added, dropped or changed to make one of the other (Levenshtein), of the
 * first STR_DISTANCE_MAX letters of each.
 */
#define STR_DISTANCE_MAX 32
size_t str_distance(const char *a, const char *b);

/* How far a word may be from what somebody may have meant by it: more slips are another word. */
#define STR_SLIPS 2

/* Lower-case hexadecimal of @len bytes into @ret, which holds 2 * @len + 1 characters. */
void str_to_hex(const void *bytes, size_t len, char *ret);

/* The reverse, upper or lower case. false unless @hex is exactly 2 * @len hexadecimal digits. */
bool str_from_hex(const char *hex, size_t len, void *ret);

#endif
