#include "backends/s3_wallet.h"

#include "backends/s3_lender.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define POCKETS        8
#define EARLY_SECONDS  (5 * 60) /* before they expire new ones are asked for */
#define NONE_SECONDS   (5 * 60) /* an instance's word that it has no role is believed */
#define NOBODY_SECONDS 60       /* and so long that this machine is no instance */
#define WAIT_MS        50

/* What one source has lent, or is asked for. */
struct pocket {
	enum s3_source source;
	char *uri; /* NULL: empty */
	struct s3_keys keys;
	bool has_lent;   /* keys, once */
	bool is_asked;   /* by one caller, for all: it stays where it is */
	uint64_t failed; /* when: a number of wallet.now; 0: never */
	struct err why;
};

struct s3_wallet {
	pthread_mutex_t mu;
	pthread_cond_t answered;
	/* guarded by mu */
	struct pocket pockets[POCKETS];
	size_t next;  /* to be emptied for another source */
	uint64_t now; /* counts answers */
};

void s3_keys_release(struct s3_keys *keys)
{
	str_free_secret(keys->id);
	str_free_secret(keys->secret);
	str_free_secret(keys->token);
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

	if (!wallet)
		return NULL;
	pthread_mutex_init(&wallet->mu, NULL);
	clock_cond_init(&wallet->answered);
	return wallet;
}

static void empty(struct pocket *pocket)
{
	s3_keys_release(&pocket->keys);
	str_free_secret(pocket->uri); /* it may have a token in it */
	*pocket = (struct pocket){.uri = NULL};
}

void s3_wallet_free(struct s3_wallet *wallet)
{
	if (!wallet)
		return;
	for (size_t i = 0; i < POCKETS; i++)
		empty(&wallet->pockets[i]);
	pthread_cond_destroy(&wallet->answered);
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

/* Under mu. One for another source, emptied; NULL: all are being filled, or no memory. */
static struct pocket *make(struct s3_wallet *wallet, const struct access_s3 *access)
{
	for (size_t i = 0; i < POCKETS; i++) {
		struct pocket *pocket = &wallet->pockets[wallet->next];

		wallet->next = (wallet->next + 1) % POCKETS;
		if (pocket->is_asked)
			continue;
		empty(pocket);
		pocket->source = access->source;
		pocket->uri = str_copy(access->source_uri);
		return pocket->uri ? pocket : NULL;
	}
	return NULL;
}

enum turn {
	TURN_DONE, /* the keys are here; or why there are none */
	TURN_WAIT, /* somebody asks for them */
	TURN_MINE, /* the caller has to ask, and the others wait for it */
};

/* Under mu. For who came at @since. 0 with *ret_turn, or why there are no keys. */
static int look(struct s3_wallet *wallet, const struct access_s3 *access, uint64_t since,
	enum turn *ret_turn, struct s3_keys *ret, struct err *err)
{
	struct pocket *pocket = find(wallet, access);
	bool is_asked = pocket && pocket->is_asked;
	bool failed = pocket && pocket->failed > since;

	*ret_turn = TURN_DONE;
	/* those that are good still are better than to wait, and than none */
	if (pocket &&
		pocket->keys.expires > clock_wall() + (is_asked || failed ? 0 : EARLY_SECONDS))
		return copy(&pocket->keys, ret, err);
	if (failed) {
		if (err)
			*err = pocket->why;
		return -pocket->why.code;
	}
	*ret_turn = is_asked ? TURN_WAIT : TURN_MINE;
	return 0;
}

static int take_turn(struct s3_wallet *wallet, const struct access_s3 *access, bool may_wait,
	uint64_t since, enum turn *ret_turn, struct s3_keys *ret, struct err *err)
{
	struct timespec until = clock_monotonic_in(WAIT_MS);
	struct pocket *pocket;
	int r;
	WITH_LOCK(&wallet->mu);

	r = look(wallet, access, since, ret_turn, ret, err);
	if (r < 0 || *ret_turn == TURN_DONE)
		return r;
	if (!may_wait)
		return err_set_retry(err, ERR_SYSTEM, EAGAIN, 0, "keys must be asked for");
	if (*ret_turn == TURN_WAIT) {
		pthread_cond_timedwait(&wallet->answered, &wallet->mu, &until);
		return 0;
	}
	pocket = find(wallet, access);
	if (!pocket)
		pocket = make(wallet, access);
	if (pocket) /* else this caller asks for itself */
		pocket->is_asked = true;
	return 0;
}

/* What came of asking, for all who wait: @keys; else why not, or NULL: another one has to ask. */
static void settle(struct s3_wallet *wallet, const struct access_s3 *access,
	const struct s3_keys *keys, const struct err *why)
{
	struct pocket *pocket;
	WITH_LOCK(&wallet->mu);

	pocket = find(wallet, access);
	if (!pocket)
		return;
	pocket->is_asked = false;
	if (keys) {
		s3_keys_release(&pocket->keys);
		(void)copy(keys, &pocket->keys, NULL); /* else they are asked for again */
		pocket->has_lent = pocket->has_lent || keys->id;
	} else if (why) {
		pocket->failed = ++wallet->now;
		pocket->why = *why;
	}
	pthread_cond_broadcast(&wallet->answered);
}

static bool has_lent(struct s3_wallet *wallet, const struct access_s3 *access)
{
	const struct pocket *pocket;
	WITH_LOCK(&wallet->mu);

	pocket = find(wallet, access);
	return pocket && pocket->has_lent;
}

/*
 * For how many seconds a machine asks as anybody, after @why; 0: it has a right to keys. Where no
 * metadata server is, and never was one, it is no instance; where one says so, it has no role.
 */
static int64_t is_nobody(
	struct s3_wallet *wallet, const struct access_s3 *access, const struct err *why)
{
	if (access->source != S3_SOURCE_INSTANCE)
		return 0;
	if (why->kind == ERR_REMOTE && why->code == ENOENT)
		return NONE_SECONDS;
	return why->kind == ERR_NETWORK && !has_lent(wallet, access) ? NOBODY_SECONDS : 0;
}

/* For all who wait. */
static int ask(const struct backend_env *env, const struct backend_request *request,
	const struct access_s3 *access, struct s3_keys *ret, struct err *err)
{
	struct err why = ERR_INIT;
	int64_t seconds = 0;
	bool gave_up = false;
	int r = s3_lender_ask(env, request, access, ret, &gave_up, &why);

	if (r < 0 && !gave_up)
		seconds = is_nobody(env->s3_wallet, access, &why);
	if (seconds > 0) {
		*ret = (struct s3_keys){.expires = clock_wall() + EARLY_SECONDS + seconds};
		r = 0;
	}
	if (r < 0 && !gave_up && why.code == -r)
		err_context(&why, "keys of s3");
	settle(env->s3_wallet, access, r < 0 ? NULL : ret, gave_up ? NULL : &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

static uint64_t now(struct s3_wallet *wallet)
{
	WITH_LOCK(&wallet->mu);
	return wallet->now;
}

int s3_wallet_get(const struct backend_env *env, const struct backend_request *request,
	const struct access_s3 *access, bool may_wait, struct s3_keys *ret, struct err *err)
{
	struct s3_wallet *wallet = env->s3_wallet;
	uint64_t since = now(wallet);
	enum turn turn;
	int r;

	do {
		r = take_turn(wallet, access, may_wait, since, &turn, ret, err);
		if (r == 0 && turn == TURN_WAIT && request->poll)
			r = request->poll(request->poll_arg, err);
	} while (r == 0 && turn == TURN_WAIT);
	if (r < 0 || turn == TURN_DONE)
		return r;
	r = ask(env, request, access, ret, err);
	/* what is good still is better than nothing */
	if (r < 0 && take_turn(wallet, access, false, since, &turn, ret, NULL) == 0)
		r = 0;
	return r;
}
