/*
 * ip_grant.c - which addresses a client's end of an IP link has: those that its user's entry names,
 * or one of the device's networks that nobody has. See ip_hub_priv.h.
 *
 * An address has one owner. A client that comes back in a new session gets what its old one had as
 * soon as that has no live link; two clients that live do not take from each other.
 */
#include "ip_hub_priv.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 65536 /* addresses looked at for a free one */

static uint8_t whole(const struct tws_ip *ip)
{
    return ip->family == 4 ? 32 : 128;
}

static struct tws_prefix host(const struct tws_ip *ip)
{
    return (struct tws_prefix){.ip = *ip, .bits = whole(ip)};
}

/* ---- whose ---- */

static struct tws_tun_port *owner_of(const struct tws_ip_hub *hub, const struct tws_prefix *p)
{
    return tws_ip_table_exact(&hub->table, p);
}

/* Of the same user, and nobody uses it any more. */
static bool is_left(const struct tws_tun_port *old, const struct tws_tun_port *port)
{
    const struct tws_carrier *c = old->local.carrier;

    return old->judge == port->judge && (c == port->local.carrier || c->nlinks == 0);
}

static bool is_free(const struct tws_tun_port *port, const struct tws_ip *ip)
{
    struct tws_prefix p = host(ip);
    const struct tws_tun_port *old = owner_of(port->hub, &p);

    return old == NULL || is_left(old, port);
}

/* The device's own, or an address that the entry of some user names. */
static bool is_reserved(const struct tws_ip_hub *hub, const struct tws_ip *ip)
{
    const struct tws_server_config *cfg = hub->cfg;

    for (size_t i = 0; i < hub->nnets; i++)
        if (tws_ip_equal(&hub->nets[i].ip, ip))
            return true;
    for (size_t i = 0; i < cfg->nusers; i++)
        for (size_t j = 0; j < cfg->users[i].ntun; j++)
            if (tws_prefix_contains(&cfg->users[i].tun[j], ip))
                return true;
    return false;
}

/* ---- the device's networks ---- */

/* Adds one; false: it went from the last address to the first. */
static bool step(struct tws_ip *ip)
{
    for (size_t i = ip->family == 4 ? 4 : 16; i-- > 0;)
        if (++ip->bytes[i] != 0)
            return true;
    return false;
}

/* The network's own name and its broadcast address are no host's, but of the smallest networks. */
static bool is_edge(const struct tws_prefix *net, const struct tws_ip *ip)
{
    struct tws_ip first = tws_prefix_first(net), last = tws_prefix_last(net);

    if (net->bits + 1 >= whole(ip))
        return false;
    return tws_ip_equal(ip, &first) || (ip->family == 4 && tws_ip_equal(ip, &last));
}

static bool is_in_pool(const struct tws_tun_port *port, const struct tws_prefix *net,
                       const struct tws_ip *ip)
{
    return tws_prefix_contains(net, ip) && !is_edge(net, ip) && !is_reserved(port->hub, ip) &&
           is_free(port, ip);
}

static bool take_next(struct tws_tun_port *port, size_t i, struct tws_prefix *out)
{
    const struct tws_prefix *net = &port->hub->nets[i];
    struct tws_ip *at = &port->hub->next[i];

    if (at->family == 0)
        *at = tws_prefix_first(net);
    for (int tries = 0; tries < TRIES; tries++) {
        if (!step(at) || !tws_prefix_contains(net, at))
            *at = tws_prefix_first(net);
        if (is_in_pool(port, net, at)) {
            *out = (struct tws_prefix){.ip = *at, .bits = net->bits};
            return true;
        }
    }
    return false;
}

/* The wanted one if it is free, or the next that is. */
static bool from_pool(struct tws_tun_port *port, uint8_t family, const struct tws_ip *wanted,
                      struct tws_prefix *out)
{
    const struct tws_ip_hub *hub = port->hub;
    bool found = false;

    for (size_t i = 0; i < hub->nnets; i++) {
        const struct tws_prefix *net = &hub->nets[i];
        if (wanted->family == family && is_in_pool(port, net, wanted)) {
            *out = (struct tws_prefix){.ip = *wanted, .bits = net->bits};
            return true;
        }
    }
    for (size_t i = 0; i < hub->nnets && !found; i++)
        found = hub->nets[i].ip.family == family && take_next(port, i, out);
    return found;
}

/* ---- the user's own ---- */

/* With the length of the device's network it lies in, so that the client reaches all of that. */
static struct tws_prefix as_address(const struct tws_ip_hub *hub, const struct tws_ip *ip)
{
    for (size_t i = 0; i < hub->nnets; i++)
        if (tws_prefix_contains(&hub->nets[i], ip))
            return (struct tws_prefix){.ip = *ip, .bits = hub->nets[i].bits};
    return host(ip);
}

static bool is_users(const struct tws_user *u, const struct tws_ip *ip)
{
    for (size_t i = 0; i < u->ntun; i++)
        if (tws_prefix_contains(&u->tun[i], ip))
            return true;
    return false;
}

static bool own_address(const struct tws_tun_port *port, const struct tws_user *u, uint8_t family,
                        struct tws_prefix *out)
{
    for (size_t i = 0; i < u->ntun; i++) {
        const struct tws_ip *ip = &u->tun[i].ip;
        if (ip->family != family || u->tun[i].bits != whole(ip) || !is_free(port, ip))
            continue;
        *out = as_address(port->hub, ip);
        return true;
    }
    return false;
}

/* False: there is none of that family for it. */
static bool choose(struct tws_tun_port *port, const struct tws_user *u, uint8_t family,
                   const struct tws_ip *wanted, struct tws_prefix *out)
{
    if (wanted->family == family && is_users(u, wanted) && is_free(port, wanted)) {
        *out = as_address(port->hub, wanted);
        return true;
    }
    if (own_address(port, u, family, out))
        return true;
    return u->tun_pool && from_pool(port, family, wanted, out);
}

/* ---- to have and to give back ---- */

static bool lies_in_device(const struct tws_ip_hub *hub, const struct tws_prefix *p)
{
    for (size_t i = 0; i < hub->nnets; i++)
        if (p->bits >= hub->nets[i].bits && tws_prefix_contains(&hub->nets[i], &p->ip))
            return true;
    return false;
}

static void lead(struct tws_tun_port *port, const struct tws_prefix *p)
{
    struct tws_ip_way *way = &port->ways[port->nways];
    struct tws_tun_port *old = owner_of(port->hub, p);

    if (old == port)
        return;
    if (old != NULL && is_left(old, port))
        tws_tun_port_cut(old, TWS_CODE_NONE, "taken over by a newer channel");
    if (tws_ip_table_add(&port->hub->table, &way->entry, p, port) != TWS_OK)
        return; /* a network of the user that another client has already */
    port->nways++;
    if (!lies_in_device(port->hub, p))
        way->has_route = tws_ip_device_add_route(&port->hub->device, p) == TWS_OK;
}

static tws_err lead_all(struct tws_tun_port *port, const struct tws_user *u)
{
    port->ways = calloc(u->ntun + TWS_TUN_FAMILIES, sizeof *port->ways);
    if (port->ways == NULL)
        return TWS_NOMEM;
    for (int i = 0; i < TWS_TUN_FAMILIES; i++) {
        struct tws_prefix p = host(&port->terms.address[i].ip);
        if (p.ip.family != 0)
            lead(port, &p);
    }
    for (size_t i = 0; i < u->ntun; i++)
        if (u->tun[i].bits != whole(&u->tun[i].ip))
            lead(port, &u->tun[i]);
    return TWS_OK;
}

uint16_t tws_ip_grant(struct tws_tun_port *port, const struct tws_user *u,
                      const struct tws_open *open, const char **why)
{
    struct tws_prefix *a = port->terms.address;
    bool v4 = choose(port, u, 4, &open->wanted4, &a[TWS_TUN_V4]);
    bool v6 = choose(port, u, 6, &open->wanted6, &a[TWS_TUN_V6]);

    port->terms.mtu = (uint16_t)port->hub->device.mtu;
    if (!v4 && !v6) {
        *why = "no address of the user is free";
        return TWS_CODE_RESOURCES;
    }
    return lead_all(port, u) == TWS_OK ? TWS_CODE_NONE : TWS_CODE_RESOURCES;
}

void tws_ip_ungrant(struct tws_tun_port *port)
{
    if (port->hub == NULL)
        return;
    for (size_t i = 0; i < port->nways; i++) {
        struct tws_ip_way *way = &port->ways[i];
        if (way->has_route)
            tws_ip_device_remove_route(&port->hub->device, &way->entry.prefix);
        tws_ip_table_remove(&port->hub->table, &way->entry);
    }
    free(port->ways);
    port->ways = NULL;
    port->nways = 0;
    tws_list_unlink(&port->port_node);
    port->hub = NULL;
}

static bool may_have(const struct tws_tun_port *port, const struct tws_user *u,
                     const struct tws_prefix *p)
{
    const struct tws_ip_hub *hub = port->hub;

    for (size_t i = 0; i < u->ntun; i++)
        if (tws_prefix_covers(&u->tun[i], p))
            return true;
    if (!u->tun_pool || p->bits != whole(&p->ip) || is_reserved(port->hub, &p->ip))
        return false;
    for (size_t i = 0; i < hub->nnets; i++)
        if (tws_prefix_contains(&hub->nets[i], &p->ip))
            return true;
    return false;
}

bool tws_ip_granted(const struct tws_tun_port *port, const struct tws_user *u)
{
    if (u == NULL)
        return false;
    for (size_t i = 0; i < port->nways; i++)
        if (!may_have(port, u, &port->ways[i].entry.prefix))
            return false;
    return true;
}
