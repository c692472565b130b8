/* dial_priv.h - one non-blocking connect: making it, learning what became of it, naming that. */
#ifndef TWS_NET_DIAL_PRIV_H
#define TWS_NET_DIAL_PRIV_H

#include "tws/net/connector.h"

/* Begins to connect; 0 and *fd, or an errno value. */
int tws_dial(const struct tws_sockaddr *to, const struct tws_connect_from *from, int *fd);
/* Connections may share a port, if they lead elsewhere; of two flows of datagrams with one port and
 * one target, the later would get the answers of both. */
enum tws_dial_port { TWS_DIAL_ANY_PORT, TWS_DIAL_OWN_PORT, TWS_DIAL_SHARED_PORT };

/* Makes `fd`, not yet connected, start where `from` says: 0 or an errno value. At its port, if
 * that is wanted and can be had. */
int tws_dial_source(int fd, int family, const struct tws_connect_from *from,
                    enum tws_dial_port port);
/* After `events` of fd: 0 connected (*own is its address here), EINPROGRESS not yet, else why
 * not. */
int tws_dial_outcome(int fd, unsigned events, const struct tws_sockaddr *to,
                     struct tws_sockaddr *own);
/* The kind of failure an errno value is, for that address. */
enum tws_connect_failure tws_dial_failure(int error, const struct tws_sockaddr *to);

#endif
