#include "fetch/members.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/config.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>

#define SLOTS      256
#define BUFFER_MAX (64 * 1024) /* of one line of the system's lists */
#define GROUPS_MAX 65536       /* NGROUPS_MAX of Linux */

struct answer {
	const struct config_list *users; /* NULL: the slot is free */
	uid_t uid;
	bool named;
	int64_t until; /* monotonic, ms */
};

struct members {
	pthread_mutex_t mu;
	struct answer answers[SLOTS]; /* by users and uid; guarded by mu */
};

int members_new(struct members **ret, struct err *err)
{
	struct members *members = calloc(1, sizeof(*members));

	if (!members)
		return err_oom(err);
	pthread_mutex_init(&members->mu, NULL);
	*ret = members;
	return 0;
}

void members_free(struct members *members)
{
	if (!members)
		return;
	pthread_mutex_destroy(&members->mu);
	free(members);
}

/* A user and her groups, as the system knows them. */
struct person {
	uid_t uid;
	char *name; /* NULL: the system does not know her */
	gid_t *groups;
	int group_count;
};

static void person_release(struct person *person)
{
	free(person->name);
	free(person->groups);
}

static void find_groups(struct person *person, gid_t own)
{
	int count = 64;

	while (count <= GROUPS_MAX) {
		gid_t *groups = calloc((size_t)count, sizeof(*groups));
		int needed = count;

		if (!groups)
			return;
		if (getgrouplist(person->name, own, groups, &needed) >= 0) {
			person->groups = groups;
			person->group_count = needed;
			return;
		}
		free(groups);
		count = needed > count ? needed : 2 * count;
	}
}

static void find_person(struct person *person)
{
	CLEANUP(str_freep) char *buf = malloc(BUFFER_MAX);
	struct passwd entry;
	struct passwd *found = NULL;

	if (!buf || getpwuid_r(person->uid, &entry, buf, BUFFER_MAX, &found) != 0 || !found)
		return;
	person->name = str_copy(found->pw_name);
	if (person->name)
		find_groups(person, found->pw_gid);
}

static bool is_in_group(const struct person *person, const char *name)
{
	CLEANUP(str_freep) char *buf = malloc(BUFFER_MAX);
	struct group entry;
	struct group *found = NULL;

	if (!buf || getgrnam_r(name, &entry, buf, BUFFER_MAX, &found) != 0 || !found)
		return false;
	for (int i = 0; i < person->group_count; i++)
		if (person->groups[i] == found->gr_gid)
			return true;
	return false;
}

static bool is_number(const char *text, uid_t uid)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno == 0 && !*end && value == uid;
}

static bool look_up(const struct config_list *users, uid_t uid)
{
	CLEANUP(person_release) struct person person = {.uid = uid};

	for (size_t i = 0; i < users->count; i++)
		if (str_equal(users->items[i], "*") || is_number(users->items[i], uid))
			return true;
	if (users->count > 0)
		find_person(&person);
	for (size_t i = 0; person.name && i < users->count; i++) {
		const char *item = users->items[i];

		if (item[0] == '@' ? is_in_group(&person, item + 1) : str_equal(item, person.name))
			return true;
	}
	return false;
}

static size_t slot_of(const struct config_list *users, uid_t uid)
{
	return ((uintptr_t)users / sizeof(*users) * 31 + uid) % SLOTS;
}

bool members_has(struct members *members, const struct config_list *users, uid_t uid)
{
	struct answer answer = {.users = users, .uid = uid};
	int64_t now = clock_monotonic_ms();
	struct answer *slot;

	if (!members)
		return look_up(users, uid);
	slot = &members->answers[slot_of(users, uid)];
	{
		WITH_LOCK(&members->mu);
		if (slot->users == users && slot->uid == uid && now < slot->until)
			return slot->named;
	}
	answer.named = look_up(users, uid);
	answer.until = now + MEMBERS_KEEP_MS;
	WITH_LOCK(&members->mu);
	*slot = answer;
	return answer.named;
}
