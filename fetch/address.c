#include "fetch/address.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* An address as bytes: 4 of them, or 16 when there is no IPv4 address inside; 0: neither. */
struct plain {
	uint8_t bytes[16];
	unsigned int len;
};

struct network {
	unsigned int bits;
	uint8_t prefix[16];
};

static const struct network special4[] = {
	{8, {0}},             /* this network */
	{8, {10}},            /* RFC 1918 */
	{10, {100, 64}},      /* shared by carriers */
	{8, {127}},           /* loopback */
	{16, {169, 254}},     /* link-local */
	{12, {172, 16}},      /* RFC 1918 */
	{24, {192, 0, 0}},    /* protocol assignments */
	{24, {192, 0, 2}},    /* documentation */
	{16, {192, 168}},     /* RFC 1918 */
	{15, {198, 18}},      /* benchmarks */
	{24, {198, 51, 100}}, /* documentation */
	{24, {203, 0, 113}},  /* documentation */
	{3, {224}},           /* multicast, reserved, broadcast */
};

static const struct network special6[] = {
	{48, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}}, /* local NAT64 */
	{64, {0x01}},                               /* discard */
	{32, {0x20, 0x01}},                         /* Teredo */
	{32, {0x20, 0x01, 0x0d, 0xb8}},             /* documentation */
	{7, {0xfc}},                                /* unique local */
	{10, {0xfe, 0x80}},                         /* link-local */
	{10, {0xfe, 0xc0}},                         /* site-local */
	{8, {0xff}},                                /* multicast */
};

static const struct network metadata4[] = {
	{32, {169, 254, 169, 254}}, /* nearly all */
	{32, {169, 254, 170, 2}},   /* tasks of ECS */
	{32, {169, 254, 170, 23}},  /* pods of EKS */
	{32, {100, 100, 100, 200}}, /* Alibaba */
};

static const struct network metadata6[] = {
	{128, {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}}, /* EC2 */
	{128, {0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23}},              /* pods of EKS */
};

static bool in_network(const uint8_t *address, const struct network *network)
{
	unsigned int whole = network->bits / 8;
	unsigned int mask = 0xffU << (8 - network->bits % 8) & 0xff;

	return memcmp(address, network->prefix, whole) == 0 &&
	       (!mask || ((address[whole] ^ network->prefix[whole]) & mask) == 0);
}

static bool in_any(const uint8_t *address, const struct network *networks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (in_network(address, &networks[i]))
			return true;
	return false;
}

static struct plain plain6(const struct in6_addr *address)
{
	static const struct {
		struct network network;
		unsigned int offset; /* of the IPv4 address */
	} wrappers[] = {
		{{96, {0}}, 12},                        /* compatible; also :: and ::1 */
		{{96, {[10] = 0xff, [11] = 0xff}}, 12}, /* mapped */
		{{96, {0x00, 0x64, 0xff, 0x9b}}, 12},   /* NAT64 */
		{{16, {0x20, 0x02}}, 2},                /* 6to4 */
	};
	struct plain ret = {.len = 16};

	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++) {
		if (!in_network(address->s6_addr, &wrappers[i].network))
			continue;
		ret.len = 4;
		memcpy(ret.bytes, address->s6_addr + wrappers[i].offset, 4);
		return ret;
	}
	memcpy(ret.bytes, address->s6_addr, 16);
	return ret;
}

static struct plain plain(const struct sockaddr *address)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in4;
	struct plain ret = {0};

	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		return plain6(&in6.sin6_addr);
	}
	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		memcpy(ret.bytes, &in4.sin_addr, 4);
		ret.len = 4;
	}
	return ret;
}

bool address_from_host(const char *host, struct sockaddr_storage *ret)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	char inside[INET6_ADDRSTRLEN];
	size_t len = strlen(host);

	memset(ret, 0, sizeof(*ret));
	if (str_equal(host, "localhost") || str_has_suffix(host, ".localhost"))
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &in4.sin_addr) == 1) {
		memcpy(ret, &in4, sizeof(in4));
		return true;
	}
	if (host[0] != '[' || len - 2 >= sizeof(inside))
		return false;
	memcpy(inside, host + 1, len - 2);
	inside[len - 2] = '\0';
	if (inet_pton(AF_INET6, inside, &in6.sin6_addr) != 1)
		return false;
	memcpy(ret, &in6, sizeof(in6));
	return true;
}

bool address_is_public(const struct sockaddr *address)
{
	struct plain place = plain(address);

	if (place.len == 4)
		return !in_any(place.bytes, special4, ARRAY_SIZE(special4));
	return place.len == 16 && !in_any(place.bytes, special6, ARRAY_SIZE(special6));
}

bool address_is_loopback(const struct sockaddr *address)
{
	struct plain place = plain(address);
	struct sockaddr_in6 in6;

	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr))
			return true;
	}
	return place.len == 4 && place.bytes[0] == 127;
}

bool address_is_metadata(const struct sockaddr *address)
{
	struct plain place = plain(address);

	if (place.len == 4)
		return in_any(place.bytes, metadata4, ARRAY_SIZE(metadata4));
	return place.len == 16 && in_any(place.bytes, metadata6, ARRAY_SIZE(metadata6));
}

bool address_is_own(const struct sockaddr *address)
{
	struct plain place = plain(address);
	struct ifaddrs *all;
	bool own = false;

	if (getifaddrs(&all) < 0)
		return true; /* cannot tell: the careful answer */
	for (const struct ifaddrs *one = all; one && !own; one = one->ifa_next) {
		struct plain mine = {0};

		if (one->ifa_addr)
			mine = plain(one->ifa_addr);
		own = mine.len > 0 && mine.len == place.len &&
		      memcmp(mine.bytes, place.bytes, mine.len) == 0;
	}
	freeifaddrs(all);
	return own;
}
