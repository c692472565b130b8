/*
 * check_spoof.c - see check_priv.h.
 *
 * The kernel itself is asked: where is the target, and would a packet from there to a client's
 * address be for a process of this machine? So any arrangement that works is found, whatever it is
 * made of.
 */
#include "check_priv.h"

#include "tws/net/rtnetlink.h"
#include "tws/tunnel/rule.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define TABLE 29816 /* in the commands */

struct job {
    const char *path;
    struct tws_rtnl rtnl;
    const struct tws_outlet *outlet;
    size_t number;  /* of the record, from 1 */
    bool routed[7]; /* the family's table was printed already */
};

static void complain(const struct job *j, const char *what, const char *why)
{
    printf("%s: egress record %zu: spoof: %s: %s\n", j->path, j->number, what, why);
}

/* ---- a client ---- */

/* An address of the prefix that a machine may have. */
static struct tws_ip first_host(const struct tws_prefix *p)
{
    struct tws_ip ip = p->ip;

    if (p->bits < (ip.family == 4 ? 31 : 127))
        ip.bytes[ip.family == 4 ? 3 : 15] |= 1;
    return ip;
}

/* A client's address, of those that the record is for; false: it has none of the family. */
static bool client_of(const struct tws_outlet *o, uint8_t family, struct tws_ip *out)
{
    static const struct tws_ip examples[] = {
        [4] = {.family = 4, .bytes = {198, 51, 100, 1}},
        [6] = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
    };
    bool found = o->nfrom == 0;

    *out = examples[family];
    for (size_t i = 0; i < o->nfrom && !found; i++) {
        if (o->from[i].ip.family != family)
            continue;
        struct tws_ip ip = first_host(&o->from[i]);
        if (tws_rule_ordinary(&ip))
            *out = ip;
        found = true;
    }
    return found;
}

/* ---- a target ---- */

/* Whether its answers to a client come to a process here, with the record's mark if not without. */
static bool comes_back(struct job *j, const struct tws_ip *target, const struct tws_ip *client,
                       unsigned device)
{
    struct tws_route_question q = {.from = *target, .to = *client, .device = device};
    struct tws_route_answer a;

    if (tws_rtnl_ask_route(&j->rtnl, &q, &a) == TWS_OK && a.local)
        return true;
    q.mark = j->outlet->mark;
    return q.mark != 0 && tws_rtnl_ask_route(&j->rtnl, &q, &a) == TWS_OK && a.local;
}

static void print_commands(struct job *j, const struct tws_prefix *to, const char *device)
{
    uint8_t family = to->ip.family;
    const char *ip = family == 4 ? "ip" : "ip -6";
    char text[TWS_IP_TEXT];

    tws_ip_format(&to->ip, text, sizeof text);
    printf("  %s rule add from %s/%u iif %s lookup %d\n", ip, text, to->bits, device, TABLE);
    if (!j->routed[family])
        printf("  %s route replace local %s dev lo table %d\n", ip,
               family == 4 ? "0.0.0.0/0" : "::/0", TABLE);
    j->routed[family] = true;
}

static void check_prefix(struct job *j, const struct tws_prefix *to)
{
    struct tws_ip target = first_host(to), client;
    struct tws_route_question q = {.to = target};
    struct tws_route_answer a;
    char text[TWS_IP_TEXT], device[IF_NAMESIZE] = "lo";

    if (!client_of(j->outlet, target.family, &client))
        return;
    tws_ip_format(&target, text, sizeof text);
    if (tws_rtnl_ask_route(&j->rtnl, &q, &a) != TWS_OK) {
        complain(j, text, "this machine has no route to it");
        return;
    }
    if (!a.local && if_indextoname(a.device, device) == NULL)
        return;
    if (comes_back(j, &target, &client, a.local ? 0 : a.device))
        return;
    complain(j, text, "its answers would not come to this process; run as root:");
    print_commands(j, to, device);
}

static void check_address(struct job *j, const struct tws_ip *ip)
{
    const struct tws_prefix p = {*ip, ip->family == 4 ? 32 : 128};

    if (ip->family != 0)
        check_prefix(j, &p);
}

/* Every target: those that run here stand for all. */
static void check_loopback(struct job *j)
{
    static const struct tws_prefix four = {{.family = 4, .bytes = {127}}, 8};
    static const struct tws_prefix six = {{.family = 6, .bytes = {[15] = 1}}, 128};

    check_prefix(j, &four);
    check_prefix(j, &six);
}

static bool is_every(const struct tws_rule *r)
{
    return r->name != NULL ? strcmp(r->name, "*") == 0 : r->prefix.bits == 0;
}

static void check_rule(struct job *j, const struct tws_rule *r)
{
    if (r->is_path)
        return;
    if (is_every(r))
        check_loopback(j);
    else if (r->name != NULL)
        complain(j, r->name, "give ipv4 and ipv6, so that the routes for it can be looked at");
    else
        check_prefix(j, &r->prefix);
}

static void check_outlet(struct job *j)
{
    const struct tws_outlet *o = j->outlet;

    check_address(j, &o->ipv4.ip);
    check_address(j, &o->ipv6.ip);
    if (o->ipv4.ip.family != 0 || o->ipv6.ip.family != 0)
        return;
    for (size_t i = 0; i < o->nto; i++)
        check_rule(j, &o->to[i]);
    if (o->nto == 0)
        check_loopback(j);
}

void tws_check_spoof(const char *path, const struct tws_server_config *c)
{
    struct job j = {.path = path};

    if (tws_rtnl_open(&j.rtnl) != TWS_OK) {
        printf("%s: the routes cannot be looked at: %s\n", path, strerror(errno));
        return;
    }
    for (size_t i = 0; i < c->noutlets; i++) {
        j.outlet = &c->outlets[i];
        j.number = i + 1;
        if (j.outlet->spoof)
            check_outlet(&j);
    }
    tws_rtnl_close(&j.rtnl);
}
