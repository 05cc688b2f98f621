/*
 * What was found out from registries and is good for a while: tokens, manifests. It is found out
 * once, however many ask for it at the same time. Thread-safe.
 *
 *	r = oci_memory_find(memory, key, poll, arg, &fact, err);
 *	if (r == 0) {
 *		r = … find out …
 *		oci_memory_tell(memory, key, r < 0 ? NULL : fact, r < 0 ? err : NULL);
 *	}
 */
#ifndef FETCHFS_BACKENDS_OCI_MEMORY_H
#define FETCHFS_BACKENDS_OCI_MEMORY_H

#include "base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of what is kept. Nobody changes what others can see. */
struct oci_fact {
	atomic_uint refs; /* oci_fact_init() makes one */
	void (*free)(struct oci_fact *fact);
	int64_t until; /* milliseconds on the monotonic clock; from then on nobody is told */
	size_t bytes;  /* roughly what it takes */
};

void oci_fact_init(
	struct oci_fact *fact, void (*free)(struct oci_fact *fact), int64_t until, size_t bytes);
struct oci_fact *oci_fact_ref(struct oci_fact *fact);
void oci_fact_unref(struct oci_fact *fact); /* NULL is ignored */

struct oci_memory;

struct oci_memory *oci_memory_new(void); /* NULL: out of memory */
void oci_memory_free(struct oci_memory *memory);

/* What is known by now, a reference; or NULL. Waits for nobody. */
struct oci_fact *oci_memory_peek(struct oci_memory *memory, const char *key);

/*
 * 1: *ret, a reference, is what is known, be it that another thread was waited for. 0: the caller
 * finds it out, and must tell. -errno: what went wrong for who was waited for, or what @poll said
 * meanwhile.
 */
int oci_memory_find(struct oci_memory *memory, const char *key,
	int (*poll)(void *arg, struct err *err), void *arg, struct oci_fact **ret, struct err *err);

/* @fact, of which a reference is taken; or NULL, with @why. */
void oci_memory_tell(
	struct oci_memory *memory, const char *key, struct oci_fact *fact, const struct err *why);

/* @fact is not true any more; unless another one is known by now. */
void oci_memory_forget(struct oci_memory *memory, const char *key, const struct oci_fact *fact);

#endif
