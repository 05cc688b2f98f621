#include "backends/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* "10 s", or "1500 ms" when it is no whole number of seconds. */
static const char *limit_text(unsigned int ms, char ret[16])
{
	snprintf(ret, 16, "%u %s", ms % 1000 ? ms : ms / 1000, ms % 1000 ? "ms" : "s");
	return ret;
}

int limits_no_connection(const struct transfer *transfer, struct err *err)
{
	const char *proxy = transfer->request->proxy;
	char text[16];

	limit_text(transfer->request->env->connect_ms, text);
	return err_set_retry(err, proxy ? ERR_PROXY : ERR_NETWORK, ETIMEDOUT, 0,
		"no connection%s within %s", proxy ? " by way of the proxy" : "", text);
}

/* Bytes that have to come in a window. */
static uint64_t least_bytes(const struct backend_env *env)
{
	uint64_t bytes = env->stall_rate * env->stall_ms / 1000;

	return bytes > 0 ? bytes : 1;
}

int64_t limits_silence(const struct transfer *transfer, int64_t now)
{
	const struct backend_env *env = transfer->request->env;

	return now - (env->stall_ms < env->first_byte_ms ? env->stall_ms : env->first_byte_ms);
}

int limits_check(struct transfer *transfer, struct err *err)
{
	const struct backend_env *env = transfer->request->env;
	int64_t now = *transfer->now;
	uint64_t bytes;
	char text[16];

	if (!transfer->began)
		return 0;
	if (!transfer->asked)
		return now - transfer->began < env->connect_ms
			       ? 0
			       : limits_no_connection(transfer, err);
	if (!pace_is_started(&transfer->pace))
		return now - transfer->asked < env->first_byte_ms
			       ? 0
			       : err_set_retry(err, ERR_NETWORK, ETIMEDOUT, 0,
					 "no answer within %s",
					 limit_text(env->first_byte_ms, text));
	if (!pace_is_below(&transfer->pace, now, least_bytes(env), &bytes))
		return 0;
	return err_set_retry(err, ERR_NETWORK, ETIMEDOUT, 0, "stalled: %" PRIu64 " bytes in %s",
		bytes, limit_text(env->stall_ms, text));
}
