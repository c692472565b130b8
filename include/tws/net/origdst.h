/*
 * origdst.h - where a caught connection was going before nftables sent it to a listener of ours.
 *
 *      REDIRECT  changes the destination; conntrack remembers the one that was (SO_ORIGINAL_DST)
 *      TPROXY    changes nothing: the socket's own address is the destination
 */
#ifndef TWS_NET_ORIGDST_H
#define TWS_NET_ORIGDST_H

#include "tws/net/socket.h"

/* Of a redirected connection. A connection that was made to the listener itself gives the socket's
 * own address. TWS_SYS: the kernel does not tell. */
TWS_MUST_USE tws_err tws_origdst_redirected(int fd, struct tws_sockaddr *out);
/* Of a connection caught by TPROXY: the socket's own address. TWS_SYS. */
TWS_MUST_USE tws_err tws_origdst_own(int fd, struct tws_sockaddr *out);

#endif
