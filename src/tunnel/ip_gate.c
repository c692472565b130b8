/* ip_gate.c - see ip_gate_priv.h. */
#include "ip_gate_priv.h"

#include <stdlib.h>

/* What the entries of the table own, by address. */
static char here, there, nowhere;

static const struct tws_prefix everything[] = {{.ip = {.family = 4}}, {.ip = {.family = 6}}};

static struct tws_prefix whole(const struct tws_ip *ip)
{
    return (struct tws_prefix){.ip = *ip, .bits = ip->family == 4 ? 32 : 128};
}

/* Of two that are the same the first counts. */
static void add(struct tws_ip_gate *g, const struct tws_prefix *p, char *side)
{
    if (tws_ip_table_add(&g->table, &g->entries[g->nentries], p, side) == TWS_OK)
        g->nentries++;
}

static void add_list(struct tws_ip_gate *g, const struct tws_prefix *list, size_t n, char *side)
{
    for (size_t i = 0; i < n; i++)
        add(g, &list[i], side);
}

/* The device's addresses and their networks. */
static void add_addresses(struct tws_ip_gate *g, const struct tws_prefix *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tws_prefix own = whole(&list[i].ip);
        if (list[i].ip.family == 0)
            continue;
        add(g, &own, &here);
        add(g, &list[i], &there);
    }
}

static void fill(struct tws_ip_gate *g, const struct tws_tun_config *c,
                 const struct tws_tun_terms *terms)
{
    if (c->naddresses > 0)
        add_addresses(g, c->addresses, c->naddresses);
    else
        add_addresses(g, terms->address, TWS_TUN_FAMILIES);
    add_list(g, c->behind, c->nbehind, &here);
    add_list(g, c->routes, c->nroutes, &there);
    add_list(g, c->sources, c->nsources, &there);
    add_list(g, c->exclude, c->nexclude, &nowhere);
    if (c->all)
        add_list(g, everything, 2, &there);
}

tws_err tws_ip_gate_set(struct tws_ip_gate *g, const struct tws_tun_config *c,
                        const struct tws_tun_terms *terms)
{
    size_t own = c->naddresses > 0 ? c->naddresses : TWS_TUN_FAMILIES;
    struct tws_ip_gate next = {.dropped_source = g->dropped_source,
                               .dropped_destination = g->dropped_destination};

    next.entries = calloc(2 * own + c->nbehind + c->nroutes + c->nsources + c->nexclude + 2,
                          sizeof *next.entries);
    if (next.entries == NULL || tws_ip_table_init(&next.table) != TWS_OK) {
        free(next.entries);
        return TWS_NOMEM;
    }
    fill(&next, c, terms);
    tws_ip_gate_fini(g);
    *g = next;
    return TWS_OK;
}

void tws_ip_gate_fini(struct tws_ip_gate *g)
{
    for (size_t i = 0; i < g->nentries; i++)
        tws_ip_table_remove(&g->table, &g->entries[i]);
    tws_ip_table_fini(&g->table);
    free(g->entries);
    g->entries = NULL;
    g->nentries = 0;
}

static bool is_at(const struct tws_ip_gate *g, const struct tws_ip *ip, const char *side)
{
    return g->entries != NULL && tws_ip_table_find(&g->table, ip) == side;
}

static bool is_about_ours(const struct tws_ip_gate *g, struct tws_span in,
                          const struct tws_ip_packet *p)
{
    struct tws_ip to;

    return tws_ip_packet_is_error(in, p, &to) && is_at(g, &to, &there);
}

const char *tws_ip_gate_refuses(struct tws_ip_gate *g, struct tws_span in,
                                const struct tws_ip_packet *p)
{
    if (!is_at(g, &p->destination, &here)) {
        g->dropped_destination++;
        return "the destination is neither this client nor in its behind";
    }
    if (!is_at(g, &p->source, &there) && !is_about_ours(g, in, p)) {
        g->dropped_source++;
        return "no packets are sent there: the source is in none of its routes or sources";
    }
    return NULL;
}
