/*
 * acl.h - whether a user may reach a target, or listen. Pure.
 *
 * Two questions, in this order:
 *  1. tws_acl_target(): may the target as it was named be reached, or does it depend on what the
 *     name resolves to? A name no rule can allow is refused before it is resolved.
 *  2. tws_acl_address(): may this address be dialled for that target? Asked for each resolved
 *     address; the one that was checked is the one that is dialled.
 *
 * A name rule ("db.example", "*.example") allows the name's addresses; a prefix rule allows any
 * name that resolves into it. Link-local, multicast (and broadcast) and unspecified addresses are
 * refused, whatever name leads there, unless a prefix rule lies wholly within that kind:
 * 169.254.169.254/32 names one, 0.0.0.0/0 does not. IPv4 written as IPv6 (::ffff:a.b.c.d) is IPv4.
 *
 * Unix sockets are reached by a rule of their own only, whoever else may reach everything.
 */
#ifndef TWS_TUNNEL_ACL_H
#define TWS_TUNNEL_ACL_H

#include "tws/proto/target.h"
#include "tws/tunnel/config.h"

enum tws_acl_verdict {
    TWS_ACL_DENY,
    TWS_ACL_BY_NAME,    /* a rule names it: any address that is not of a special kind */
    TWS_ACL_ANY,        /* of a user without rules: likewise, but nobody named it */
    TWS_ACL_BY_ADDRESS, /* only an address that a prefix rule allows */
};

/* `kind` is enum tws_kind: TCP and UDP have names and addresses, UNIX has paths; TUN has no target:
 * the user has an IP link, and each packet asks for its address; all else is denied. */
enum tws_acl_verdict tws_acl_target(const struct tws_user *u, uint8_t kind,
                                    const struct tws_target *t);

/* `verdict` is tws_acl_target()'s for this kind and target. A packet of a TUN is of kind TCP or UDP
 * if it is, else TUN: then only a rule for every port allows it, and `port` is ignored. */
bool tws_acl_address(const struct tws_user *u, uint8_t kind, enum tws_acl_verdict verdict,
                     const struct tws_ip *ip, uint16_t port);

/*
 * Whether a user may have the server listen on `t` (an address, the name localhost, or a unix
 * socket's path, which is for TCP only and by a rule for paths), by the user's `listen` rules, for
 * `kind` (TWS_KIND_TCP or TWS_KIND_UDP); *out is what to listen on. "::"
 * and 0.0.0.0 are allowed only by a rule that has every address of the family or spells them:
 * 0.0.0.0/0, 0.0.0.0; "::", which is IPv4 too, by "::" or by both families' rules. Port 0 needs a
 * rule that has every port from 1024 on. localhost is both loopback addresses, or the one that is
 * allowed.
 */
bool tws_acl_listen(const struct tws_user *u, uint8_t kind, const struct tws_target *t,
                    struct tws_spot *out);

#endif
