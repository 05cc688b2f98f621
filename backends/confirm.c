#include "backends/confirm.h"

#include "backends/answer.h"

#include <errno.h>

static bool is_same(const struct remote *told, const struct remote *now)
{
	const struct validators *a = &told->validators;
	const struct validators *b = &now->validators;
	bool etags = a->etag[0] && b->etag[0];
	bool times = a->modified != TIME_UNKNOWN && b->modified != TIME_UNKNOWN;

	if (told->size != SIZE_UNKNOWN && now->size != SIZE_UNKNOWN && told->size != now->size)
		return false;
	return (!etags && !times) || answer_same_version(a, b);
}

int confirm_same(const struct remote *told, const struct remote *now, struct err *err)
{
	if (is_same(told, now))
		return 0;
	return err_set_retry(err, ERR_REMOTE, ESTALE, 0, "the file changed while it was fetched");
}
