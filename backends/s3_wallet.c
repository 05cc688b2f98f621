#include "backends/s3_wallet.h"

#include "backends/s3_lender.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define POCKETS       8
#define EARLY_SECONDS (5 * 60) /* before they expire new ones are asked for */
#define NONE_SECONDS  (5 * 60) /* that there are none is believed */

/* What one source has lent. */
struct pocket {
	enum s3_source source;
	char *uri; /* NULL: empty */
	struct s3_keys keys;
};

struct s3_wallet {
	pthread_mutex_t mu;
	/* guarded by mu */
	struct pocket pockets[POCKETS];
	size_t next; /* the oldest */
};

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void s3_keys_release(struct s3_keys *keys)
{
	free_secret(keys->id);
	free_secret(keys->secret);
	free_secret(keys->token);
	*keys = (struct s3_keys){.id = NULL};
}

static int copy(const struct s3_keys *keys, struct s3_keys *ret, struct err *err)
{
	struct s3_keys made = {
		.id = str_copy(keys->id),
		.secret = str_copy(keys->secret),
		.token = str_copy(keys->token),
		.expires = keys->expires,
	};

	if ((keys->id && !made.id) || (keys->secret && !made.secret) ||
		(keys->token && !made.token)) {
		s3_keys_release(&made);
		return err_oom(err);
	}
	*ret = made;
	return 0;
}

struct s3_wallet *s3_wallet_new(void)
{
	struct s3_wallet *wallet = calloc(1, sizeof(*wallet));

	if (wallet)
		pthread_mutex_init(&wallet->mu, NULL);
	return wallet;
}

static void empty(struct pocket *pocket)
{
	s3_keys_release(&pocket->keys);
	free_secret(pocket->uri); /* it may have a token in it */
	*pocket = (struct pocket){.uri = NULL};
}

void s3_wallet_free(struct s3_wallet *wallet)
{
	if (!wallet)
		return;
	for (size_t i = 0; i < POCKETS; i++)
		empty(&wallet->pockets[i]);
	pthread_mutex_destroy(&wallet->mu);
	free(wallet);
}

/* Under mu. NULL: none. */
static struct pocket *find(struct s3_wallet *wallet, const struct access_s3 *access)
{
	for (size_t i = 0; i < POCKETS; i++)
		if (wallet->pockets[i].uri && wallet->pockets[i].source == access->source &&
			str_equal(wallet->pockets[i].uri, access->source_uri))
			return &wallet->pockets[i];
	return NULL;
}

/* 1: they are here, and will be good for a while. @left: seconds that they must be good for. */
static int look(struct s3_wallet *wallet, const struct access_s3 *access, int64_t left,
	struct s3_keys *ret, struct err *err)
{
	const struct pocket *pocket;
	int r;
	WITH_LOCK(&wallet->mu);

	pocket = find(wallet, access);
	if (!pocket || pocket->keys.expires <= clock_wall() + left)
		return 0;
	r = copy(&pocket->keys, ret, err);
	return r < 0 ? r : 1;
}

/* Best effort. */
static void keep(
	struct s3_wallet *wallet, const struct access_s3 *access, const struct s3_keys *keys)
{
	struct pocket *pocket;
	WITH_LOCK(&wallet->mu);

	pocket = find(wallet, access);
	if (!pocket) {
		pocket = &wallet->pockets[wallet->next];
		wallet->next = (wallet->next + 1) % POCKETS;
	}
	empty(pocket);
	if (copy(keys, &pocket->keys, NULL) < 0)
		return;
	pocket->source = access->source;
	pocket->uri = str_copy(access->source_uri);
}

/* A machine that nobody lends keys to asks as anybody. */
static int have_none(struct s3_wallet *wallet, const struct access_s3 *access, struct s3_keys *ret)
{
	*ret = (struct s3_keys){.expires = clock_wall() + EARLY_SECONDS + NONE_SECONDS};
	keep(wallet, access, ret);
	return 0;
}

int s3_wallet_get(const struct backend_env *env, const struct backend_request *request,
	const struct access_s3 *access, bool may_wait, struct s3_keys *ret, struct err *err)
{
	struct s3_wallet *wallet = env->s3_wallet;
	struct err why = ERR_INIT;
	int r = look(wallet, access, EARLY_SECONDS, ret, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!may_wait)
		return err_set_retry(err, ERR_SYSTEM, EAGAIN, 0, "keys must be asked for");
	r = s3_lender_ask(env, request, access, ret, &why);
	if (r == 0) {
		keep(wallet, access, ret);
		return 0;
	}
	/* what is good still is better than nothing */
	if (look(wallet, access, 0, ret, NULL) == 1)
		return 0;
	if (access->source == S3_SOURCE_INSTANCE && why.kind != ERR_CANCELLED)
		return have_none(wallet, access, ret);
	if (why.code == -r)
		err_context(&why, "keys of s3");
	if (err)
		*err = why;
	return r;
}
