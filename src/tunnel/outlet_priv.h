/*
 * outlet_priv.h - how to go out: which record of the configuration's `egress` list is for a target,
 * and what it means for a connection. Pure: which addresses are this machine's is asked of others.
 *
 * What may be reached is not decided here (acl.h): an outlet changes how, and where from. But
 * nobody is believed an address from which targets would take him for somebody of their own house.
 */
#ifndef TWS_TUNNEL_OUTLET_PRIV_H
#define TWS_TUNNEL_OUTLET_PRIV_H

#include "tws/net/connector.h"
#include "tws/proto/target.h"
#include "tws/tunnel/config.h"

/* What is known of what goes out. */
struct tws_outward {
    uint8_t kind; /* enum tws_kind */
    const struct tws_target *target;
    const struct tws_ip *resolved; /* of a name; NULL: not yet known */
    struct tws_ip_port source;     /* the client's; ip.family 0: not known */
};

/*
 * The first outlet that covers it; NULL: none does, it is the ordinary way. *unsure (then NULL
 * comes back): it depends on what the name resolves to.
 */
const struct tws_outlet *tws_outlet_find(const struct tws_outlet *list, size_t n,
                                         const struct tws_outward *o, bool *unsure);

/* The address and port that a target of OPEN's parameters is; IPv4 in IPv6 becomes IPv4. */
struct tws_ip_port tws_outlet_source(const struct tws_target *t);

/* Whether an address is this machine's. */
typedef bool tws_is_own_fn(void *arg, const struct tws_ip *ip);

/*
 * Where a connection starts; `o` may be NULL. NULL: done. Else why it cannot be: the client's
 * address is not known, or is one that no client has (a special one; this machine's, unless the
 * outlet's `from` names just that, or loopback). The client's port is taken if it is none of the
 * privileged ones.
 */
const char *tws_outlet_from(const struct tws_outlet *o, const struct tws_ip_port *source,
                            tws_is_own_fn *is_own, void *arg, struct tws_connect_from *from);

/* Why nothing can start there to get to `to`: it is the target's own address, and the target would
 * answer itself. NULL: it can. */
const char *tws_outlet_meets_itself(const struct tws_connect_from *from, const struct tws_ip *to);

/* Where to go instead of the target; NULL: to the target. */
const struct tws_ip_port *tws_outlet_redirect(const struct tws_outlet *o,
                                              const struct tws_ip_port *source);

#endif
