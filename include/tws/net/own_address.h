/*
 * own_address.h - which addresses and networks this machine has, as the kernel has them now.
 */
#ifndef TWS_NET_OWN_ADDRESS_H
#define TWS_NET_OWN_ADDRESS_H

#include "tws/base/addr.h"

/* Whether a device here has the address, or it is the broadcast address of a network that one is
 * in. An address that only a route makes local is not. True too if the kernel cannot be asked. */
bool tws_address_is_own(const struct tws_ip *ip);

/* Whether `p` (host bits may be set) shares addresses with a network that a device other than
 * `device` is in; *with is that network. TWS_SYS, TWS_NOMEM: the kernel cannot be asked. */
TWS_MUST_USE tws_err tws_network_is_taken(const struct tws_prefix *p, unsigned device, bool *taken,
                                          struct tws_prefix *with);

#endif
