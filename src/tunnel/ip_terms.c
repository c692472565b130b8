/* ip_terms.c - see ip_terms_priv.h. */
#include "ip_terms_priv.h"

#include "tws/base/log.h"
#include "tws/net/own_address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHORTEST_V4 16u
#define SHORTEST_V6 48u

/* RFC 1918, RFC 6598 (carriers' NAT), RFC 2544 (benchmarks), RFC 4193. */
static const struct tws_prefix private_use[] = {
    {{4, {10}}, 8},       {{4, {172, 16}}, 12}, {{4, {192, 168}}, 16},
    {{4, {100, 64}}, 10}, {{4, {198, 18}}, 15}, {{6, {0xfc}}, 7},
};

static bool is_private(const struct tws_prefix *p)
{
    for (size_t i = 0; i < sizeof private_use / sizeof *private_use; i++)
        if (tws_prefix_covers(&private_use[i], p))
            return true;
    return false;
}

const char *tws_ip_terms_doubt(const struct tws_prefix *address)
{
    bool v4 = address->ip.family == 4;

    if (tws_ip_is_link_local(&address->ip))
        return "which is link-local";
    if (address->bits == (v4 ? 32 : 128))
        return NULL;
    if (!is_private(address))
        return "a network that is not for private use";
    if (address->bits < (v4 ? SHORTEST_V4 : SHORTEST_V6))
        return "a network that is larger than most";
    return NULL;
}

static void refuse(const struct tws_ip_device *d, const struct tws_prefix *a, const char *why)
{
    char text[TWS_PREFIX_TEXT];

    tws_prefix_format(a, text, sizeof text);
    tws_log(TWS_LOG_ERROR, "tun failed",
            "device=%s reason=\"the server gave %s, %s: if that shall lead there, write address: "
            "[%s] in the forward\"",
            d->tun.name, text, why, text);
}

/* The device has it, and not by us. */
static bool is_prepared(struct tws_ip_device *d, const struct tws_ip *ip)
{
    bool there = false;

    for (size_t i = 0; i < d->nadded; i++)
        if (tws_ip_equal(&d->added[i].ip, ip))
            return false;
    return tws_rtnl_has_address(&d->rtnl, d->tun.index, ip, &there) == TWS_OK && there;
}

static bool is_taken(struct tws_ip_device *d, const struct tws_prefix *a)
{
    char why[TWS_PREFIX_TEXT + 64], text[TWS_PREFIX_TEXT];
    const char *doubt = tws_ip_terms_doubt(a);
    struct tws_prefix with;
    bool there = false;

    if (is_prepared(d, &a->ip))
        return true;
    if (doubt != NULL) {
        refuse(d, a, doubt);
        return false;
    }
    tws_err err = tws_network_is_taken(a, d->tun.index, &there, &with);
    if (err == TWS_OK && !there)
        return true;
    tws_prefix_format(&with, text, sizeof text);
    if (err == TWS_OK)
        (void)snprintf(why, sizeof why, "and this machine is in %s", text);
    else
        (void)snprintf(why, sizeof why, "and the kernel does not say what is there: %s",
                       err == TWS_SYS ? strerror(errno) : tws_err_text(err));
    refuse(d, a, why);
    return false;
}

bool tws_ip_terms_taken(struct tws_ip_device *d, const struct tws_tun_terms *t)
{
    for (int i = 0; i < TWS_TUN_FAMILIES; i++)
        if (t->address[i].ip.family != 0 && !is_taken(d, &t->address[i]))
            return false;
    return true;
}
