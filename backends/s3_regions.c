#include "backends/s3_regions.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <pthread.h>
#include <stdlib.h>

#define REGIONS_MAX 256
#define BUCKET_SIZE 64

struct s3_regions {
	pthread_mutex_t mu;
	/* guarded by mu */
	struct {
		char bucket[BUCKET_SIZE]; /* "": none */
		char region[S3_REGION_SIZE];
	} known[REGIONS_MAX];
	size_t next; /* the oldest */
};

struct s3_regions *s3_regions_new(void)
{
	struct s3_regions *regions = calloc(1, sizeof(*regions));

	if (regions)
		pthread_mutex_init(&regions->mu, NULL);
	return regions;
}

void s3_regions_free(struct s3_regions *regions)
{
	if (!regions)
		return;
	pthread_mutex_destroy(&regions->mu);
	free(regions);
}

/* Under mu. REGIONS_MAX: it is not known. */
static size_t find(const struct s3_regions *regions, const char *bucket)
{
	size_t i = 0;

	while (i < REGIONS_MAX && !str_equal(regions->known[i].bucket, bucket))
		i++;
	return i;
}

void s3_regions_apply(struct s3_regions *regions, struct s3_place *place)
{
	size_t i;
	WITH_LOCK(&regions->mu);

	i = find(regions, place->bucket);
	if (i < REGIONS_MAX && regions->known[i].bucket[0])
		s3_place_move(place, regions->known[i].region);
}

void s3_regions_note(struct s3_regions *regions, const struct s3_place *place)
{
	size_t i;
	WITH_LOCK(&regions->mu);

	i = find(regions, place->bucket);
	if (i == REGIONS_MAX) {
		i = regions->next;
		regions->next = (regions->next + 1) % REGIONS_MAX;
	}
	str_fit(regions->known[i].bucket, BUCKET_SIZE, place->bucket);
	str_fit(regions->known[i].region, S3_REGION_SIZE, place->region);
}
