/*
 * .fetchfs/metrics: what the daemon has counted since it was mounted, and how full the cache is, as
 * Prometheus reads it (text format 0.0.4).
 */
#include "fs/ops.h"
#include "fs/passthrough.h"

#include <inttypes.h>

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP fetchfs_%s %s\n# TYPE fetchfs_%s %s\n", name, help, name, type);
}

static void counter(FILE *out, const char *name, uint64_t value, const char *help)
{
	head(out, name, "counter", help);
	fprintf(out, "fetchfs_%s %" PRIu64 "\n", name, value);
}

static void gauge(FILE *out, const char *name, uint64_t value, const char *help)
{
	head(out, name, "gauge", help);
	fprintf(out, "fetchfs_%s %" PRIu64 "\n", name, value);
}

static void histogram(
	FILE *out, const char *name, const struct fetchfs_times *times, const char *help)
{
	uint64_t count = 0;

	head(out, name, "histogram", help);
	for (unsigned int n = 0; n < FETCHFS_BUCKETS; n++) {
		count += times->counts[n];
		fprintf(out, "fetchfs_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
			fetchfs_bucket_seconds(n), count);
	}
	count += times->counts[FETCHFS_BUCKETS];
	fprintf(out, "fetchfs_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	fprintf(out, "fetchfs_%s_sum %.3f\nfetchfs_%s_count %" PRIu64 "\n", name, times->seconds,
		name, count);
}

static void write_errors(FILE *out, const struct fetchfs_counters *counters)
{
	head(out, "errors_total", "counter", "Requests that ended with an error, by its kind.");
	for (int kind = ERR_SYSTEM; kind < FETCHFS_ERROR_KINDS; kind++)
		if (kind != ERR_CANCELLED)
			fprintf(out, "fetchfs_errors_total{kind=\"%s\"} %" PRIu64 "\n",
				err_kind_name((enum err_kind)kind), counters->errors[kind]);
}

static void write_events(FILE *out, const struct fetchfs_counters *counters)
{
	head(out, "events_total", "counter", "Artifacts to which this happened.");
	for (int kind = 0; kind < FETCHFS_EVENT_KINDS; kind++)
		fprintf(out, "fetchfs_events_total{event=\"%s\"} %" PRIu64 "\n",
			fetchfs_event_kind_name((enum fetchfs_event_kind)kind),
			counters->events[kind].count);
	counter(out, "evicted_bytes_total", counters->events[FETCHFS_EVENT_EVICTED].bytes,
		"Bytes that this process let go from the cache.");
}

static void write_cache(FILE *out, const struct fetchfs_usage *usage)
{
	gauge(out, "cache_limit_bytes", usage->limit, "What the cache may occupy.");
	gauge(out, "cache_used_bytes", usage->used, "What it occupies, with what is reserved.");
	gauge(out, "cache_reserved_bytes", usage->reserved, "Of which promised to downloads.");
	gauge(out, "cache_objects", usage->objects, "Contents that are here.");
	gauge(out, "cache_entries", usage->entries, "Artifacts that are complete.");
	gauge(out, "in_flight", usage->in_flight, "Downloads of this process.");
	gauge(out, "in_line", usage->in_line, "Of which wait for others of the same user.");
}

static void write_mount(struct fs *fs, FILE *out)
{
	struct passthrough_status passthrough;

	passthrough_status(fs->passthrough, &passthrough);
	gauge(out, "passthrough", passthrough.on, "Whether the kernel reads files itself.");
	counter(out, "passthrough_opens_total", passthrough.opens,
		"Opens of files that the kernel reads itself.");
	counter(out, "passthrough_fallbacks_total", passthrough.fallbacks,
		"Opens of complete files that the daemon had to serve.");
	counter(out, "read_bytes_total", atomic_load(&fs->read_bytes),
		"Bytes that the daemon handed to readers; the kernel's own are not counted.");
	gauge(out, "nodes", inode_count(fs->inodes), "Names that the kernel remembers.");
	pthread_mutex_lock(&fs->mu);
	gauge(out, "waiting", fs->parked, "Requests of readers that wait for an origin.");
	pthread_mutex_unlock(&fs->mu);
}

void metrics_write(struct fs *fs, uid_t uid, FILE *out)
{
	struct fetchfs_counters counters;

	(void)uid; /* sums tell nothing of a single artifact */
	bool is_read = fetchfs_counters(fs->fetchfs, &counters, NULL) == 0;

	head(out, "build_info", "gauge", "The program.");
	fprintf(out, "fetchfs_build_info{version=\"%s\"} 1\n", FETCHFS_VERSION);
	head(out, "start_time_seconds", "gauge", "When it was mounted, since 1970.");
	fprintf(out, "fetchfs_start_time_seconds %" PRId64 "\n", fs->started);
	counter(out, "hits_total", counters.hits, "Opens answered from the cache.");
	counter(out, "hit_bytes_total", counters.hit_bytes, "The sizes of what they opened.");
	counter(out, "misses_total", counters.misses, "Opens that needed the origin.");
	counter(out, "fetched_bytes_total", counters.fetched_bytes, "Bytes that origins sent.");
	write_events(out, &counters);
	write_errors(out, &counters);
	histogram(out, "answer_seconds", &counters.answer,
		"From a download's beginning to the origin's answer.");
	histogram(out, "download_seconds", &counters.whole,
		"From a download's beginning to its publication.");
	/* the rest is worth something without */
	if (is_read)
		write_cache(out, &counters.usage);
	write_mount(fs, out);
}
