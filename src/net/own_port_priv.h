/*
 * own_port_priv.h - the sockets that a port of ours means, streams and datagrams alike.
 */
#ifndef TWS_NET_OWN_PORT_PRIV_H
#define TWS_NET_OWN_PORT_PRIV_H

#include "tws/base/addr.h"
#include "tws/base/err.h"

#include <stdint.h>

#define TWS_OWN_PORT_SOCKETS 2u

/*
 * Binds sockets of `type` (SOCK_STREAM, SOCK_DGRAM), non-blocking, which are the caller's then;
 * those of streams listen. An empty host means all addresses, IPv4 and IPv6; "localhost" 127.0.0.1
 * and, where there is one, ::1, on the same port; anything else is one address. TWS_SYS: there are
 * none.
 */
TWS_MUST_USE tws_err tws_own_port_open(const struct tws_hostport *hp, int type,
                                       int fds[TWS_OWN_PORT_SOCKETS], unsigned *n);

#endif
