/*
 * What a shell offers when somebody presses the tabulator. The shells' own files only ask
 * "fetchfs __complete WORD…": the words behind the program's name up to the cursor, the last of
 * which, maybe empty, is to be completed. The answer is a line for each that would fit, with a
 * description behind a tabulator, or ":files" or ":folders", which the shell knows better.
 */
#ifndef FETCHFS_CLI_COMPLETE_H
#define FETCHFS_CLI_COMPLETE_H

#define COMPLETE_WORD "__complete"

/* @words: @count of them. The exit status. */
int complete_run(int count, char **words);

#endif
