/*
 * own_address.h - which addresses and networks this machine has, as the kernel has them now.
 */
#ifndef TWS_NET_OWN_ADDRESS_H
#define TWS_NET_OWN_ADDRESS_H

#include "tws/base/addr.h"

/*
 * The addresses of this machine, for who asks about many: the kernel is asked at most once in
 * TWS_OWN_ADDRESSES_US. All zero is one that was not asked for yet.
 */
#define TWS_OWN_ADDRESSES_US 1000000u

struct tws_own_addresses {
    struct tws_ip *all; /* sorted */
    size_t n, cap;
    uint64_t until_us; /* asked again then */
    bool known;        /* the kernel answered */
};

/* Whether a device here has the address, or it is the broadcast address of a network that one is
 * in. An address that only a route makes local is not. True too if the kernel cannot be asked.
 * `now_us` counts as the loop's time does. */
bool tws_own_addresses_have(struct tws_own_addresses *o, const struct tws_ip *ip, uint64_t now_us);
void tws_own_addresses_fini(struct tws_own_addresses *o);

/* Whether `p` (host bits may be set) shares addresses with a network that a device other than
 * `device` is in; *with is that network. TWS_SYS, TWS_NOMEM: the kernel cannot be asked. */
TWS_MUST_USE tws_err tws_network_is_taken(const struct tws_prefix *p, unsigned device, bool *taken,
                                          struct tws_prefix *with);

#endif
