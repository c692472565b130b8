/*
 * rule.h - what one rule of the configuration covers. Pure; acl.h makes verdicts of it.
 *
 * A rule is for TCP and UDP unless it names one of them. Names are compared without case and
 * without the dot at their end. In a path a `*` at the end stands for any characters but `/`, and a
 * path that goes through ".", ".." or an empty name is covered by none: what it means is for the
 * file system to say.
 */
#ifndef TWS_TUNNEL_RULE_H
#define TWS_TUNNEL_RULE_H

#include "tws/proto/target.h"
#include "tws/tunnel/config.h"

/* `kind` is TWS_KIND_TCP or TWS_KIND_UDP; TWS_KIND_TUN is what has no port, as ICMP: only a rule
 * for every port and protocol is for that. */
bool tws_rule_has_port(const struct tws_rule *r, uint8_t kind, uint16_t port);
/* By prefix; addresses of a special kind (link-local, multicast, unspecified) only by one that lies
 * wholly within that kind. */
bool tws_rule_covers_address(const struct tws_rule *r, uint8_t kind, const struct tws_ip *ip,
                             uint16_t port);
bool tws_rule_covers_name(const struct tws_rule *r, uint8_t kind, const char *name, uint16_t port);
bool tws_rule_covers_path(const struct tws_rule *r, const char *path);

/* Neither link-local, multicast nor unspecified. */
bool tws_rule_ordinary(const struct tws_ip *ip);

#endif
