/*
 * ruleset.h - the texts that make the kernel catch connections: a ruleset for `nft -f -`, lines for
 * `ip -batch -`. Nothing is run here; the same configuration gives the same text.
 *
 *                 own machine's     others' (it is their router)
 *      REDIRECT   nat output        nat prerouting        TCP; the destination is changed
 *      TPROXY     mangle output     mangle prerouting     TCP and UDP; it is not, so that caught
 *                 (marked, routed to lo, then as others')  packets need a route to this machine
 *
 * What is caught is decided by the first packet of a connection and holds for all of it: what was
 * there before the rules is left alone, and what was caught stays so until it ends. Never caught:
 * what carries the own mark (links, replies), what goes to an address of this machine, to many, or
 * to a neighbour (169.254.0.0/16, fe80::/10).
 */
#ifndef TWS_TUNNEL_RULESET_H
#define TWS_TUNNEL_RULESET_H

#include "tws/base/addr.h"
#include "tws/tunnel/footprint.h"

#include <stdbool.h>
#include <stdio.h>

/* What one forward catches, and which port of ours gets it. */
struct tws_catch {
    const struct tws_prefix *networks, *exclude; /* borrowed */
    size_t nnetworks, nexclude;
    uint16_t port;
    uint16_t udp_port; /* with tproxy; 0: no datagrams */
    bool tproxy;       /* listens on loopback; the others on every address, unless only_own */
    bool only_own;
};

struct tws_ruleset {
    const struct tws_footprint *footprint;
    const struct tws_catch *catches;
    size_t n;
    bool keep; /* what other rules of this table caught goes on */
};

/* Replaces the footprint's table by one for `r`, in one transaction, whatever was there. */
void tws_ruleset_nft(FILE *out, const struct tws_ruleset *r);
void tws_ruleset_nft_remove(FILE *out, const struct tws_footprint *f);

/* Whether caught packets of IPv4 (4) or IPv6 (6) need a route. */
bool tws_ruleset_needs_route(const struct tws_ruleset *r, uint8_t family);
/* Lines for `ip -4 -batch -`, and the same for -6. */
void tws_ruleset_ip(FILE *out, const struct tws_footprint *f);
void tws_ruleset_ip_remove(FILE *out, const struct tws_footprint *f);

#endif
