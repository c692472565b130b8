/*
 * ruleset.c - see ruleset.h.
 *
 * Redirected connections are known to conntrack, which changes their packets without asking a rule
 * again. Caught flows of TPROXY carry the footprint's mark as their conntrack mark; each of their
 * packets is looked at, but only the first against the networks.
 *
 * Networks that a rule names in one set may not overlap: the configuration sees to it.
 */
#include "tws/tunnel/ruleset.h"

#include "tws/net/rtnetlink.h"

#include <stdbool.h>

/* Before other programs' (Docker's and Kubernetes' at -100), which would turn the connection
 * elsewhere first. */
#define NAT_PRIORITY "-110"
/* Behind conntrack (-200), before NAT: where packets are marked for routing. */
#define MANGLE_PRIORITY "-150"

/* ---- pieces ---- */

static bool any_of(const struct tws_prefix *list, size_t n, uint8_t family)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].ip.family == family)
            return true;
    return false;
}

/* "ip daddr { 10.0.0.0/8, 192.168.0.0/16 } ACTION", once for each family the list has. */
static void match(FILE *out, const struct tws_prefix *list, size_t n, uint8_t family,
                  const char *action)
{
    const char *comma = "";
    char text[TWS_PREFIX_TEXT];

    if (!any_of(list, n, family))
        return;
    fprintf(out, "\t\t%s daddr { ", family == 4 ? "ip" : "ip6");
    for (size_t i = 0; i < n; i++) {
        if (list[i].ip.family != family)
            continue;
        tws_prefix_format(&list[i], text, sizeof text);
        fprintf(out, "%s%s", comma, text);
        comma = ", ";
    }
    fprintf(out, " } %s\n", action);
}

static void match_both(FILE *out, const struct tws_prefix *list, size_t n, const char *action)
{
    match(out, list, n, 4, action);
    match(out, list, n, 6, action);
}

static void begin_chain(FILE *out, const char *name, const char *type)
{
    fprintf(out, "\tchain %s {\n", name);
    if (type != NULL)
        fprintf(out, "\t\ttype %s; policy accept;\n", type);
}

static void end_chain(FILE *out)
{
    fputs("\t}\n", out);
}

static bool any_catch(const struct tws_ruleset *r, bool tproxy, bool others)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->catches[i].tproxy == tproxy && (!others || !r->catches[i].only_own))
            return true;
    return false;
}

/* Jumps to the forwards' chains; where others' packets pass, not to those of this machine only. */
static void jumps(FILE *out, const struct tws_ruleset *r, bool tproxy, bool others)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->catches[i].tproxy == tproxy && !(others && r->catches[i].only_own))
            fprintf(out, "\t\tjump forward_%zu\n", i);
}

static void never_caught(FILE *out)
{
    /* A connection from before the rules looks new to conntrack; its packets are no SYN. */
    fputs("\t\ttcp flags & (fin | syn | rst | ack) != syn return\n"
          "\t\tfib daddr type { local, broadcast, anycast, multicast } return\n"
          "\t\tip daddr 169.254.0.0/16 return\n"
          "\t\tip6 daddr fe80::/10 return\n",
          out);
}

/* ---- REDIRECT ---- */

static void redirect_forward(FILE *out, const struct tws_catch *c, size_t i)
{
    char name[32], action[64];

    snprintf(name, sizeof name, "forward_%zu", i);
    snprintf(action, sizeof action, "meta l4proto tcp redirect to :%u", c->port);
    begin_chain(out, name, NULL);
    match_both(out, c->exclude, c->nexclude, "return");
    match_both(out, c->networks, c->nnetworks, action);
    end_chain(out);
}

static void redirect_chain(FILE *out, const struct tws_ruleset *r, bool others)
{
    const char *hook = others ? "prerouting" : "output";
    char name[32], type[64];

    snprintf(name, sizeof name, "redirect_%s", hook);
    snprintf(type, sizeof type, "nat hook %s priority " NAT_PRIORITY, hook);
    begin_chain(out, name, type);
    if (!others)
        fprintf(out, "\t\tmeta mark 0x%08x return\n", TWS_MARK_OWN);
    fputs("\t\tmeta l4proto != tcp return\n", out);
    never_caught(out);
    jumps(out, r, false, others);
    end_chain(out);
}

/* The listener has to be on every address; who was not sent there by a rule finds it closed. */
static void guard_chain(FILE *out, const struct tws_ruleset *r)
{
    begin_chain(out, "guard", "filter hook input priority 0");
    for (size_t i = 0; i < r->n; i++)
        if (!r->catches[i].tproxy)
            fprintf(out, "\t\ttcp dport %u ct status & dnat != dnat reject with tcp reset\n",
                    r->catches[i].port);
    end_chain(out);
}

/* Without any chain of that type the kernel would forget how it changes packets. */
static void keep_redirected(FILE *out, const struct tws_ruleset *r)
{
    if (!r->keep)
        return;
    begin_chain(out, "redirect_output", "nat hook output priority " NAT_PRIORITY);
    end_chain(out);
}

static void redirect(FILE *out, const struct tws_ruleset *r)
{
    if (!any_catch(r, false, false)) {
        keep_redirected(out, r);
        return;
    }
    for (size_t i = 0; i < r->n; i++)
        if (!r->catches[i].tproxy)
            redirect_forward(out, &r->catches[i], i);
    redirect_chain(out, r, false);
    if (any_catch(r, false, true))
        redirect_chain(out, r, true);
    guard_chain(out, r);
}

/* ---- TPROXY ---- */

static const char *protocols(const struct tws_catch *c)
{
    return c->udp_port != 0 ? "{ tcp, udp }" : "tcp";
}

/* Which flows are caught. */
static void tproxy_forward(FILE *out, const struct tws_ruleset *r, size_t i)
{
    const struct tws_catch *c = &r->catches[i];
    char name[32], action[96];

    snprintf(name, sizeof name, "forward_%zu", i);
    snprintf(action, sizeof action, "meta l4proto %s ct mark set 0x%08x", protocols(c),
             r->footprint->mark);
    begin_chain(out, name, NULL);
    match_both(out, c->exclude, c->nexclude, "return");
    match_both(out, c->networks, c->nnetworks, action);
    end_chain(out);
}

static void deliver_to(FILE *out, const struct tws_ruleset *r, size_t i, bool udp)
{
    const struct tws_catch *c = &r->catches[i];
    const char *protocol = udp ? "udp" : "tcp";
    unsigned port = udp ? c->udp_port : c->port;
    char action[128];

    snprintf(action, sizeof action,
             "meta l4proto %s meta mark set 0x%08x tproxy ip to 127.0.0.1:%u accept", protocol,
             r->footprint->mark, port);
    match(out, c->networks, c->nnetworks, 4, action);
    snprintf(action, sizeof action,
             "meta l4proto %s meta mark set 0x%08x tproxy ip6 to [::1]:%u accept", protocol,
             r->footprint->mark, port);
    match(out, c->networks, c->nnetworks, 6, action);
}

/* Gives the packets of caught flows to a socket. */
static void deliver(FILE *out, const struct tws_ruleset *r, size_t i)
{
    deliver_to(out, r, i, false);
    if (r->catches[i].udp_port != 0)
        deliver_to(out, r, i, true);
}

static void begins_chain(FILE *out, const struct tws_ruleset *r, const char *name, bool others)
{
    begin_chain(out, name, NULL);
    never_caught(out);
    jumps(out, r, true, others);
    end_chain(out);
}

static void tproxy_output(FILE *out, const struct tws_ruleset *r)
{
    begin_chain(out, "tproxy_output", "route hook output priority " MANGLE_PRIORITY);
    fprintf(out, "\t\tmeta mark 0x%08x return\n", TWS_MARK_OWN);
    fputs("\t\tmeta l4proto != { tcp, udp } return\n", out);
    if (any_catch(r, true, false))
        fputs("\t\tct state new jump own_begins\n", out);
    fprintf(out, "\t\tct mark 0x%08x ct direction original meta mark set 0x%08x\n",
            r->footprint->mark, r->footprint->mark);
    end_chain(out);
}

static void tproxy_prerouting(FILE *out, const struct tws_ruleset *r)
{
    begin_chain(out, "tproxy_prerouting", "filter hook prerouting priority " MANGLE_PRIORITY);
    fputs("\t\tmeta l4proto != { tcp, udp } return\n", out);
    if (any_catch(r, true, true))
        fputs("\t\tct state new jump others_begin\n", out);
    fprintf(out, "\t\tct mark != 0x%08x return\n", r->footprint->mark);
    fputs("\t\tct direction reply return\n", out);
    /* A connection that stands, even when its network is no longer to be caught. */
    fprintf(out, "\t\tmeta l4proto tcp socket transparent 1 meta mark set 0x%08x accept\n",
            r->footprint->mark);
    for (size_t i = 0; i < r->n; i++)
        if (r->catches[i].tproxy)
            deliver(out, r, i);
    end_chain(out);
}

static void tproxy(FILE *out, const struct tws_ruleset *r)
{
    if (!any_catch(r, true, false) && !r->keep)
        return;
    for (size_t i = 0; i < r->n; i++)
        if (r->catches[i].tproxy)
            tproxy_forward(out, r, i);
    if (any_catch(r, true, false))
        begins_chain(out, r, "own_begins", false);
    if (any_catch(r, true, true))
        begins_chain(out, r, "others_begin", true);
    tproxy_output(out, r);
    tproxy_prerouting(out, r);
}

/* ---- the whole ---- */

void tws_ruleset_nft_remove(FILE *out, const struct tws_footprint *f)
{
    /* A table can be made twice and not be deleted twice. */
    fprintf(out, "table inet %s\ndelete table inet %s\n", f->table, f->table);
}

void tws_ruleset_nft(FILE *out, const struct tws_ruleset *r)
{
    tws_ruleset_nft_remove(out, r->footprint);
    fprintf(out, "table inet %s {\n", r->footprint->table);
    redirect(out, r);
    tproxy(out, r);
    fputs("}\n", out);
}

bool tws_ruleset_needs_route(const struct tws_ruleset *r, uint8_t family)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->catches[i].tproxy && any_of(r->catches[i].networks, r->catches[i].nnetworks, family))
            return true;
    return false;
}

/* The rule is the witness by which a cleanup finds both, so it comes first and goes last. */
void tws_ruleset_ip(FILE *out, const struct tws_footprint *f)
{
    fprintf(out,
            "rule add fwmark 0x%08x lookup %u pref %d protocol %d\n"
            "route replace local default dev lo table %u protocol %d\n",
            f->mark, f->mark, TWS_RULE_PRIORITY, TWS_NET_MARK, f->mark, TWS_NET_MARK);
}

void tws_ruleset_ip_remove(FILE *out, const struct tws_footprint *f)
{
    fprintf(out, "route flush table %u\nrule del fwmark 0x%08x lookup %u pref %d\n", f->mark,
            f->mark, f->mark, TWS_RULE_PRIORITY);
}
