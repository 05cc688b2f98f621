#include "fetch/noproxy.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t"
#define ITEM_MAX   256 /* a longer one is no name */

struct address {
	int family; /* 0: it is none */
	unsigned char bytes[16];
	unsigned int bits;
};

static struct address read_address(const char *text)
{
	struct address address = {.family = 0};

	if (inet_pton(AF_INET, text, address.bytes) == 1) {
		address.family = AF_INET;
		address.bits = 32;
	} else if (inet_pton(AF_INET6, text, address.bytes) == 1) {
		address.family = AF_INET6;
		address.bits = 128;
	}
	return address;
}

static bool share_prefix(const struct address *a, const struct address *b, unsigned int bits)
{
	unsigned int whole = bits / 8;
	unsigned int mask = 0xff00U >> bits % 8;

	if (a->family == 0 || a->family != b->family || memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return bits % 8 == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0;
}

/* "address" or "address/bits" */
static bool network_covers(char *item, const struct address *host)
{
	char *slash = strchr(item, '/');
	struct address network;
	unsigned long bits;
	char *end;

	if (slash)
		*slash++ = '\0';
	network = read_address(item);
	if (!slash)
		return share_prefix(&network, host, network.bits);
	bits = strtoul(slash, &end, 10);
	return *slash >= '0' && *slash <= '9' && !*end && bits <= network.bits &&
	       share_prefix(&network, host, (unsigned int)bits);
}

static bool name_covers(const char *name, const char *host)
{
	size_t host_len = strlen(host);
	size_t len;

	name += str_has_prefix(name, "*.");
	name += strspn(name, ".");
	len = strlen(name);
	while (len > 0 && name[len - 1] == '.')
		len--;
	while (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	if (len == 0 || len > host_len || strncasecmp(host + host_len - len, name, len) != 0)
		return false;
	return len == host_len || host[host_len - len - 1] == '.';
}

static const char *port_of(const struct uri *uri)
{
	if (uri->port)
		return uri->port;
	if (str_equal(uri->scheme, "https"))
		return "443";
	return str_equal(uri->scheme, "http") ? "80" : "";
}

/* Cut brackets and ":port" off @item. The port, or NULL: any. */
static char *take_port(char **item)
{
	char *end = **item == '[' ? strchr(*item, ']') : NULL;
	char *colon;

	if (end) {
		(*item)++;
		*end++ = '\0';
		return *end == ':' ? end + 1 : NULL;
	}
	colon = strchr(*item, ':');
	if (!colon || strchr(colon + 1, ':')) /* an address of IPv6 */
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static bool item_covers(char *item, const char *host, const struct uri *uri)
{
	struct address address = read_address(host);
	const char *port;

	if (str_equal(item, "*"))
		return true;
	port = take_port(&item);
	if (port && !str_equal(port, port_of(uri)))
		return false;
	return address.family ? network_covers(item, &address) : name_covers(item, host);
}

bool noproxy_covers(const char *list, const struct uri *uri)
{
	char host[ITEM_MAX];
	char item[ITEM_MAX];
	bool bracketed = uri->host[0] == '[';

	if (!list || !str_fit(host, sizeof(host), uri->host + bracketed))
		return false;
	if (bracketed)
		host[strcspn(host, "]")] = '\0';
	for (; *list; list += strspn(list, SEPARATORS)) {
		size_t len = strcspn(list, SEPARATORS);

		if (len > 0 && len < sizeof(item)) {
			memcpy(item, list, len);
			item[len] = '\0';
			if (item_covers(item, host, uri))
				return true;
		}
		list += len;
	}
	return false;
}
