#include "fetch/connections.h"

#include "fetch/health.h"
#include "fetch/routes.h"

static unsigned int less(unsigned int from, unsigned int what)
{
	return what < from ? from - what : 0;
}

/* So many of them are not in use, at the flight's host or of all. */
static unsigned int unused(const struct flight *flight)
{
	const struct config *config = &flight->fetchfs->config;
	struct health *health = flight->fetchfs->health;
	unsigned int at_host = less(config->per_host, health_running(health, flight->route->host));
	unsigned int in_all = less(config->connections, health_running(health, NULL));

	return at_host < in_all ? at_host : in_all;
}

bool connections_are_used_up(const struct flight *flight)
{
	return unused(flight) == 0;
}

unsigned int connections_for_speed(const struct flight *flight)
{
	unsigned int allowed = less(unused(flight), 1);
	unsigned int of_file = less(CONNECTIONS_OF_FILE, flight->helpers + 1);

	return allowed < of_file ? allowed : of_file;
}
