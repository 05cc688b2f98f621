/* Whoever asks for a new answer gets that to a question which was sent after he asked. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/flight.h"

/* Caller holds fetchfs->mu. */
static void open_to_all(struct flight *flight)
{
	struct flight_key key = flight->key;
	struct flight *other = NULL;

	key.afresh = 0;
	if (flight->in_table) {
		HASH_DEL(flight->fetchfs->flights, flight);
		HASH_FIND(hh, flight->fetchfs->flights, &key, sizeof(key), other);
	}
	flight->key = key;
	/* those of the other one follow this one, as if it was led elsewhere */
	flight->in_table = flight->in_table && !other;
	if (flight->in_table)
		HASH_ADD(hh, flight->fetchfs->flights, key, sizeof(flight->key), flight);
}

void flight_asks(struct flight *flight)
{
	WITH_LOCK(&flight->fetchfs->mu);

	flight->asks_ms = clock_wall_ms();
	if (flight->key.afresh)
		open_to_all(flight);
}

bool flight_is_answered(struct flight *flight, int64_t asks_ms)
{
	WITH_LOCK(&flight->fetchfs->mu);

	if (!flight->key.afresh)
		return true;
	if (asks_ms <= flight->asked_ms)
		return false;
	open_to_all(flight);
	return true;
}
