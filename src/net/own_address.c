/*
 * own_address.c - see own_address.h.
 *
 * A list of all addresses is long on some machines, and bind() takes addresses that are none of
 * this machine's (a local route, the setting ip_nonlocal_bind): so the list is read now and then,
 * and searched for each address.
 */
#include "tws/net/own_address.h"

#include "tws/net/rtnetlink.h"

#include <stdlib.h>
#include <string.h>

/* ---- addresses ---- */

static int compare_ips(const void *a, const void *b)
{
    const struct tws_ip *x = a, *y = b;

    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

static void add(struct tws_own_addresses *o, const struct tws_ip *ip)
{
    if (o->n == o->cap) {
        size_t cap = o->cap == 0 ? 16 : 2 * o->cap;
        struct tws_ip *all = realloc(o->all, cap * sizeof *all);
        o->known = o->known && all != NULL;
        if (all == NULL)
            return;
        o->all = all;
        o->cap = cap;
    }
    o->all[o->n++] = *ip;
}

/* The last address of an IPv4 network is nobody's, and everybody's. */
static void take(void *arg, const struct tws_rtnl_address *a)
{
    const struct tws_ip broadcast = tws_prefix_last(&a->network);

    add(arg, &a->ip);
    if (broadcast.family == 4 && a->network.bits < 31)
        add(arg, &broadcast);
}

static void ask(struct tws_own_addresses *o)
{
    struct tws_rtnl r;

    o->n = 0;
    o->known = tws_rtnl_open(&r) == TWS_OK;
    if (!o->known)
        return;
    for (uint8_t family = 4; family <= 6; family += 2)
        o->known = tws_rtnl_addresses(&r, family, take, o) == TWS_OK && o->known;
    tws_rtnl_close(&r);
    if (o->n > 0)
        qsort(o->all, o->n, sizeof *o->all, compare_ips);
}

bool tws_own_addresses_have(struct tws_own_addresses *o, const struct tws_ip *ip, uint64_t now_us)
{
    if (now_us >= o->until_us) {
        ask(o);
        o->until_us = now_us + TWS_OWN_ADDRESSES_US;
    }
    if (!o->known)
        return true;
    return o->n > 0 && bsearch(ip, o->all, o->n, sizeof *o->all, compare_ips) != NULL;
}

void tws_own_addresses_fini(struct tws_own_addresses *o)
{
    free(o->all);
    *o = (struct tws_own_addresses){.n = 0};
}

/* ---- networks ---- */

struct overlap {
    const struct tws_prefix *p;
    unsigned device;
    bool found;
    struct tws_prefix with;
};

static void compare(void *arg, const struct tws_rtnl_address *a)
{
    const struct tws_prefix own = {a->ip, a->ip.family == 4 ? 32 : 128};
    const struct tws_prefix *all[] = {&a->network, &own};
    struct overlap *o = arg;

    if (a->device == o->device || o->found)
        return;
    for (size_t i = 0; i < 2 && !o->found; i++) {
        o->found = tws_prefix_contains(all[i], &o->p->ip) || tws_prefix_contains(o->p, &all[i]->ip);
        o->with = *all[i];
    }
}

tws_err tws_network_is_taken(const struct tws_prefix *p, unsigned device, bool *taken,
                             struct tws_prefix *with)
{
    struct overlap o = {.p = p, .device = device};
    struct tws_rtnl r;
    tws_err err = tws_rtnl_open(&r);

    if (err != TWS_OK)
        return err;
    err = tws_rtnl_addresses(&r, p->ip.family, compare, &o);
    tws_rtnl_close(&r);
    *taken = o.found;
    *with = o.with;
    return err;
}
