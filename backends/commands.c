#include "backends/commands.h"

#include "base/cleanup.h"

void commands_init(struct commands *commands)
{
	*commands = (struct commands){.first = NULL};
	pthread_mutex_init(&commands->mu, NULL);
}

void commands_release(struct commands *commands)
{
	pthread_mutex_destroy(&commands->mu);
}

bool commands_give(struct commands *commands, struct transfer *transfer, enum command command)
{
	WITH_LOCK(&commands->mu);
	bool alone = !commands->first;

	if (!transfer->commands) {
		if (commands->last)
			commands->last->next_command = transfer;
		else
			commands->first = transfer;
		commands->last = transfer;
	}
	transfer->commands |= command;
	return alone;
}

bool commands_take(struct commands *commands, struct transfer **ret, unsigned int *ret_commands)
{
	WITH_LOCK(&commands->mu);

	for (;;) {
		struct transfer *transfer = commands->first;

		if (!transfer)
			return false;
		commands->first = transfer->next_command;
		if (!commands->first)
			commands->last = NULL;
		transfer->next_command = NULL;
		*ret = transfer;
		*ret_commands = transfer->commands;
		transfer->commands = 0;
		if (transfer->easy || (*ret_commands & COMMAND_START))
			return true;
	}
}

void commands_forget(struct commands *commands, struct transfer *transfer)
{
	struct transfer *before = NULL;
	WITH_LOCK(&commands->mu);

	if (!transfer->commands)
		return;
	for (struct transfer **at = &commands->first; *at; at = &(*at)->next_command) {
		if (*at == transfer) {
			*at = transfer->next_command;
			if (commands->last == transfer)
				commands->last = before;
			return;
		}
		before = *at;
	}
}
