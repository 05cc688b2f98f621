/* OpenSSL's libcrypto, loaded when it is needed; its functions are those of <openssl/evp.h>. */
#ifndef FETCHFS_BASE_LIBCRYPTO_H
#define FETCHFS_BASE_LIBCRYPTO_H

#include "base/err.h"

/* Before any function of it is called. -ELIBACC. */
int libcrypto_load(struct err *err);

/*
 * Frees what it keeps for the calling thread, whoever has loaded it: for threads that nobody joins,
 * before they say that they are done. Later there may be nobody who does it any more.
 */
void libcrypto_end_thread(void);

#endif
