/*
 * .fetchfs/status: one JSON object, made when it is opened, for who opens it.
 */
#include "base/clock.h"
#include "base/json.h"
#include "fs/ops.h"
#include "fs/passthrough.h"

#include <stdio.h>
#include <unistd.h>

/* Transfers that are told one by one. */
#define TRANSFERS_SHOWN 256

struct writer {
	struct json json;
	unsigned int shown;
};

static int write_transfer(const struct fetchfs_transfer *transfer, void *arg)
{
	struct writer *writer = arg;
	struct json *json = &writer->json;

	/* what nobody works on is for the operator, who has "fetchfs status" */
	if (transfer->state == FETCHFS_TRANSFER_INTERRUPTED)
		return 0;
	if (writer->shown++ == TRANSFERS_SHOWN)
		return 1;
	json_open(json, NULL, '{');
	json_text(json, "uri", transfer->uri);
	json_text(json, "state", fetchfs_transfer_state_name(transfer->state));
	json_known(json, "size", transfer->size);
	json_number(json, "bytes", (int64_t)transfer->bytes);
	json_number(json, "rate", (int64_t)transfer->rate);
	json_number(json, "seconds", transfer->seconds);
	json_number(json, "pid", transfer->pid);
	json_close(json, '}');
	return 0;
}

static void write_passthrough(struct fs *fs, struct json *json)
{
	struct passthrough_status status;

	passthrough_status(fs->passthrough, &status);
	json_open(json, "passthrough", '{');
	json_bool(json, "on", status.on);
	json_text(json, "why", status.on ? NULL : status.why);
	json_number(json, "opens", (int64_t)status.opens);
	json_number(json, "fallbacks", (int64_t)status.fallbacks);
	json_number(json, "files", (int64_t)status.files);
	json_close(json, '}');
}

/* A status that says zero, or lacks some, is better than none when the cache does not answer. */
static void write_status(struct fs *fs, uid_t uid, struct writer *writer)
{
	struct json *json = &writer->json;
	struct fetchfs_usage usage = {0};

	(void)fetchfs_usage(fs->fetchfs, &usage, NULL);
	json_open(json, NULL, '{');
	json_text(json, "version", FETCHFS_VERSION);
	json_text(json, "cache", fetchfs_cache_path(fs->fetchfs));
	json_number(json, "pid", getpid());
	json_bool(json, "known", fs->options->known_only);
	json_number(json, "uptime", clock_wall() - fs->started);
	json_number(json, "limit", (int64_t)usage.limit);
	json_number(json, "used", (int64_t)usage.used);
	json_number(json, "reserved", (int64_t)usage.reserved);
	json_number(json, "entries", (int64_t)usage.entries);
	json_number(json, "objects", (int64_t)usage.objects);
	json_number(json, "in_flight", (int64_t)usage.in_flight);
	json_number(json, "in_line", (int64_t)usage.in_line);
	json_number(json, "hits", (int64_t)usage.hits);
	json_number(json, "misses", (int64_t)usage.misses);
	json_number(json, "fetched_bytes", (int64_t)usage.fetched_bytes);
	write_passthrough(fs, json);
	json_open(json, "transfers", '[');
	(void)fetchfs_transfers(fs->fetchfs, uid, write_transfer, writer, NULL);
	json_close(json, ']');
	json_close(json, '}');
}

void status_write(struct fs *fs, uid_t uid, FILE *out)
{
	struct writer writer = {.json = {.out = out}};

	write_status(fs, uid, &writer);
}
