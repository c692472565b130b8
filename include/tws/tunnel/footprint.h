/*
 * footprint.h - what a process leaves in the kernel while it runs, and how to know it again: names
 * and numbers that belong to tws alone.
 *
 *      nftables table  inet tws_NAME              NAME: the client's name
 *      mark            0x54580000 | hash of NAME  of caught packets, and of their routing table
 *      own mark        0x54570053                 of every socket whose packets no tws may catch
 *      protocol        120 (TWS_NET_MARK)         of rules and routes (ip rule, ip route)
 *
 * The own mark is the same for all processes, so that two of them do not catch each other's links.
 * Marks avoid the bits that others test alone (Kubernetes 0xc000, Tailscale 0xff0000 as 4 and 8).
 *
 * A footprint has an owner as long as somebody holds it: an abstract socket, which like the tables
 * belongs to the network namespace, and which the kernel gives back however its process ends. What
 * nobody holds was left behind.
 */
#ifndef TWS_TUNNEL_FOOTPRINT_H
#define TWS_TUNNEL_FOOTPRINT_H

#include "tws/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TWS_MARK_OWN      0x54570053u
#define TWS_MARK_CAUGHT   0x54580000u
#define TWS_MARK_HASH     0x00000fffu
#define TWS_RULE_PRIORITY 900 /* before what NetworkManager, VPNs and people add */

#define TWS_TABLE_PREFIX   "tws_"
#define TWS_FOOTPRINT_NAME 65 /* with NUL */
#define TWS_TABLE_NAME     (sizeof TWS_TABLE_PREFIX - 1 + TWS_FOOTPRINT_NAME)

struct tws_footprint {
    char table[TWS_TABLE_NAME]; /* "" when only the mark is known */
    uint32_t mark;
};

/* Of the client `name`; what an nft name cannot have becomes '_'. */
void tws_footprint_of(const char *name, struct tws_footprint *out);
/* Of a table; TWS_ABSENT: it is none of ours. */
TWS_MUST_USE tws_err tws_footprint_of_table(const char *table, struct tws_footprint *out);
/* Of a mark that a rule has; TWS_ABSENT: it is none of ours. */
TWS_MUST_USE tws_err tws_footprint_of_mark(uint32_t mark, struct tws_footprint *out);

/* Makes the caller its owner until it closes *fd. TWS_SYS: EADDRINUSE, it has one. */
TWS_MUST_USE tws_err tws_footprint_hold(const struct tws_footprint *f, int *fd);

#endif
