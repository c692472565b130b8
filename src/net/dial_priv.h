/* dial_priv.h - one non-blocking connect: making it, learning what became of it, naming that. */
#ifndef TWS_NET_DIAL_PRIV_H
#define TWS_NET_DIAL_PRIV_H

#include "tws/net/connector.h"

/* Begins to connect; 0 and *fd, or an errno value. */
int tws_dial(const struct tws_sockaddr *to, const struct tws_connect_from *from, int *fd);
/* After `events` of fd: 0 connected (*own is its address here), EINPROGRESS not yet, else why
 * not. */
int tws_dial_outcome(int fd, unsigned events, const struct tws_sockaddr *to,
                     struct tws_sockaddr *own);
/* The kind of failure an errno value is, for that address. */
enum tws_connect_failure tws_dial_failure(int error, const struct tws_sockaddr *to);

#endif
