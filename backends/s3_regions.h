/*
 * In which region which bucket was found to be: what a process has learned from redirects, so that
 * it asks the right server from the second request on. Thread-safe.
 */
#ifndef FETCHFS_BACKENDS_S3_REGIONS_H
#define FETCHFS_BACKENDS_S3_REGIONS_H

#include "backends/s3_place.h"

struct s3_regions;

struct s3_regions *s3_regions_new(void); /* NULL: out of memory */
void s3_regions_free(struct s3_regions *regions);

/* The region of the place's bucket, if it is known, becomes the place's. */
void s3_regions_apply(struct s3_regions *regions, struct s3_place *place);

/* The place's bucket is in its region. Of many that were told the oldest is forgotten. */
void s3_regions_note(struct s3_regions *regions, const struct s3_place *place);

#endif
