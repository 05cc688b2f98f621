/*
 * What kind of place an address of the network is, however it is written: IPv4 inside IPv6 (mapped,
 * compatible, NAT64, 6to4) counts as that IPv4 address.
 */
#ifndef FETCHFS_FETCH_ADDRESS_H
#define FETCHFS_FETCH_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * The address that @host (as struct uri has it) is without asking the DNS: a literal, or a name of
 * this machine (localhost, RFC 6761). false: it is a name like any other.
 */
bool address_from_host(const char *host, struct sockaddr_storage *ret);

/* Whether it is of the public internet (IANA's special-purpose registries, RFC 6890), as far as
 * the address itself tells. */
bool address_is_public(const struct sockaddr *address);

/* Whether it is of this machine, whatever its interfaces are: 127.0.0.0/8, ::1. */
bool address_is_loopback(const struct sockaddr *address);

/* Whether this machine has it at the moment. */
bool address_is_own(const struct sockaddr *address);

/* Whether a cloud gives its virtual machines their credentials there. */
bool address_is_metadata(const struct sockaddr *address);

#endif
