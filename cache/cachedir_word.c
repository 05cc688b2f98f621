/* Waking across processes, by the words of CACHE/shared. */
#include "cache/cachedir_private.h"

#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The lowest bit of a word says that somebody may be asleep on it; the others are what moves. */
#define WORD_ASLEEP UINT32_C(1)
#define WORD_STEP   UINT32_C(2)

static _Atomic uint32_t *word_of(const struct cachedir *dir, const struct entry_key *key)
{
	uint32_t number;

	memcpy(&number, key->bytes, sizeof(number));
	return &dir->shared->words[number % SHARED_WORDS];
}

uint32_t cachedir_word(const struct cachedir *dir, const struct entry_key *key)
{
	return atomic_load(word_of(dir, key)) & ~WORD_ASLEEP;
}

void cachedir_bump(const struct cachedir *dir, const struct entry_key *key)
{
	_Atomic uint32_t *word = word_of(dir, key);

	if (!(atomic_fetch_add(word, WORD_STEP) & WORD_ASLEEP))
		return;
	atomic_fetch_and(word, ~WORD_ASLEEP);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void cachedir_move(const struct cachedir *dir, const struct entry_key *key)
{
	atomic_fetch_add(word_of(dir, key), WORD_STEP);
}

/* Whatever ends it (a wake, a moved word, a signal, the time), the caller looks again. */
static void sleep_on(_Atomic uint32_t *word, uint32_t value, unsigned int timeout_ms)
{
	struct timespec timeout = {
		.tv_sec = timeout_ms / 1000, .tv_nsec = (long)(timeout_ms % 1000) * 1000000};

	syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0);
}

void cachedir_wait(const struct cachedir *dir, const struct entry_key *key, uint32_t seen,
	unsigned int timeout_ms)
{
	_Atomic uint32_t *word = word_of(dir, key);
	uint32_t awake = seen;

	/* else it has moved, or somebody else said so before */
	atomic_compare_exchange_strong(word, &awake, seen | WORD_ASLEEP);
	sleep_on(word, seen | WORD_ASLEEP, timeout_ms);
}

uint32_t cachedir_changes(const struct cachedir *dir)
{
	return atomic_load(&dir->shared->changes);
}

void cachedir_changed(const struct cachedir *dir)
{
	atomic_fetch_add(&dir->shared->changes, 1);
	syscall(SYS_futex, &dir->shared->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void cachedir_wait_change(const struct cachedir *dir, uint32_t seen, unsigned int timeout_ms)
{
	sleep_on(&dir->shared->changes, seen, timeout_ms);
}
