/*
 * own_address.c - see own_address.h.
 *
 * A list of all addresses is long on some machines, so for one address bind() is asked first: what
 * it does not take is nobody's here. What it takes may still be none of ours (a local route, the
 * setting ip_nonlocal_bind).
 */
#include "tws/net/own_address.h"

#include "tws/net/rtnetlink.h"
#include "tws/net/socket.h"

#include <errno.h>
#include <netinet/in.h>

/* ---- addresses ---- */

static bool may_be_own(const struct tws_ip *ip)
{
    struct tws_sockaddr sa;
    bool taken = true;

    tws_sockaddr_set(&sa, ip, 0);
    int fd = socket(sa.ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&sa.ss, sa.len) != 0)
        taken = errno != EADDRNOTAVAIL;
    tws_socket_close(fd);
    return taken;
}

/* The last address of an IPv4 network, if it has any beside the hosts'. */
static bool is_broadcast(const struct tws_prefix *network, const struct tws_ip *ip)
{
    bool ones = true;

    if (ip->family != 4 || network->bits >= 31 || !tws_prefix_contains(network, ip))
        return false;
    for (unsigned i = network->bits; i < 32; i++)
        ones = ones && (ip->bytes[i / 8] & 0x80u >> i % 8) != 0;
    return ones;
}

struct search {
    const struct tws_ip *ip;
    bool found;
};

static void look(void *arg, const struct tws_rtnl_address *a)
{
    struct search *s = arg;

    s->found = s->found || tws_ip_equal(&a->ip, s->ip) || is_broadcast(&a->network, s->ip);
}

bool tws_address_is_own(const struct tws_ip *ip)
{
    struct search s = {.ip = ip};
    struct tws_rtnl r;

    if (!may_be_own(ip))
        return false;
    if (tws_rtnl_open(&r) != TWS_OK)
        return true;
    tws_err err = tws_rtnl_addresses(&r, ip->family, look, &s);
    tws_rtnl_close(&r);
    return s.found || err != TWS_OK;
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
