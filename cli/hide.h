/* Arguments with secrets, which ps(1) would show to everybody. */
#ifndef FETCHFS_CLI_HIDE_H
#define FETCHFS_CLI_HIDE_H

/*
 * A copy of the @argc words of @argv and the NULL behind them, for hide_free(); in @argv itself the
 * user and password of each URI, and its query, are overwritten. NULL: out of memory.
 */
char **hide_arguments(int argc, char **argv);
void hide_free(char **arguments);
void hide_freep(char ***arguments); /* for CLEANUP() */

#endif
