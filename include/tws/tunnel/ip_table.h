/*
 * ip_table.h - a routing table: which owner a packet's destination belongs to, the longest prefix
 * first. As many hash lookups as there are different prefix lengths, however many routes.
 */
#ifndef TWS_TUNNEL_IP_TABLE_H
#define TWS_TUNNEL_IP_TABLE_H

#include "tws/base/addr.h"
#include "tws/base/list.h"

/* One entry; embedded in its owner's memory. */
struct tws_ip_entry {
    struct tws_node entry_node;
    struct tws_prefix prefix;
    void *owner;
};

struct tws_ip_table {
    struct tws_node *buckets; /* mask + 1 of them */
    uint32_t mask, count;
    uint32_t lengths[2][129]; /* entries of each prefix length, of IPv4 and IPv6 */
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_ip_table_init(struct tws_ip_table *t);
/* Entries are the callers'; none may be left. Zeroed storage is fine. */
void tws_ip_table_fini(struct tws_ip_table *t);

/* Routes prefix `p` (host bits are ignored) to `owner`. Never fails: a full table only gets slower.
 * TWS_FULL: the very prefix is there already. */
TWS_MUST_USE tws_err tws_ip_table_add(struct tws_ip_table *t, struct tws_ip_entry *e,
                                      const struct tws_prefix *p, void *owner);
/* Fine for one that was never added, if it is zeroed. */
void tws_ip_table_remove(struct tws_ip_table *t, struct tws_ip_entry *e);
/* The owner of the longest prefix that has `ip`, or NULL. */
void *tws_ip_table_find(const struct tws_ip_table *t, const struct tws_ip *ip);
/* The owner of exactly that prefix, or NULL. */
void *tws_ip_table_exact(const struct tws_ip_table *t, const struct tws_prefix *p);

#endif
