/*
 * mesos-fetcher: fetchfs as an agent of Apache Mesos calls its fetcher, under that name (agent flag
 * --launcher_dir), with what it is to do in MESOS_FETCHER_INFO; with a cache underneath that
 * survives the agent, is shared by all, and never holds anything twice.
 */
#ifndef FETCHFS_CLI_MESOS_FETCHER_H
#define FETCHFS_CLI_MESOS_FETCHER_H

#define MESOS_FETCHER_NAME "mesos-fetcher"

/* Returns the exit status; or ends the program by SIGABRT, as Mesos' own does. */
int mesos_fetcher_run(int argc, char **argv);

#endif
