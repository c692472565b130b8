/*
 * address_priv.h - a socket's address as OPEN and OPENED have it.
 */
#ifndef TWS_TUNNEL_ADDRESS_PRIV_H
#define TWS_TUNNEL_ADDRESS_PRIV_H

#include "tws/net/socket.h"
#include "tws/proto/target.h"

/* An IPv4 address is one, mapped into IPv6 or not; of no IP address the type is 0. */
struct tws_target tws_address_target(const struct tws_sockaddr *sa);

/* The same as bytes in `buf`, which the result borrows; empty if it is no IP address. */
struct tws_span tws_address_encode(const struct tws_sockaddr *sa, uint8_t buf[TWS_TARGET_MAX]);

#endif
