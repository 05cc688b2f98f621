/*
 * What a shell offers when somebody presses the tabulator. The shells' own files only ask
 * "fetchfs __complete", and write to its stdin the words behind the program's name up to the
 * cursor, the last of which, maybe empty, is to be completed, each with a NUL behind it: arguments,
 * where others could read a password in them, they are not. The answer is a line for each that
 * would fit, with a description behind a tabulator, or ":files" or ":folders", which the shell
 * knows better.
 */
#ifndef FETCHFS_CLI_COMPLETE_H
#define FETCHFS_CLI_COMPLETE_H

#define COMPLETE_WORD "__complete"

/* The exit status. */
int complete_run(void);

#endif
