/*
 * Telling a service manager how a daemon is, by the protocol of sd_notify(3): words to the datagram
 * socket that $NOTIFY_SOCKET names.
 */
#ifndef FETCHFS_CLI_NOTIFY_H
#define FETCHFS_CLI_NOTIFY_H

/*
 * Open the way, and take the variable out of the environment. Before there are threads. Where it
 * leads nowhere (it may be inherited from who knows where) there is a warning, and nobody is told.
 */
void notify_open(void);

/* Send @state, such as "READY=1" or "STOPPING=1". Does nothing where nobody wants to know. */
void notify_send(const char *state);

#endif
