/* outlet.c - see outlet_priv.h. */
#include "outlet_priv.h"

#include "tws/proto/frame.h"
#include "tws/tunnel/rule.h"

#include <stdio.h>
#include <string.h>

/* Below it a port is for the privileged: some targets take it for proof, and what answers there
 * (DNS, NTP, TFTP) may answer an answer, and so on for ever. */
#define PORTS_OF_ROOT 1024u

/* ---- which ---- */

enum fit { FIT_NO, FIT_YES, FIT_UNSURE };

static bool is_address(const struct tws_target *t)
{
    return t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6;
}

static bool is_any(const struct tws_rule *r)
{
    return r->name != NULL && !r->is_path && strcmp(r->name, "*") == 0;
}

static enum fit fit_prefix(const struct tws_rule *r, const struct tws_outward *o)
{
    const struct tws_ip *ip = is_address(o->target) ? &o->target->ip : o->resolved;

    if (ip != NULL)
        return tws_rule_covers_address(r, o->kind, ip, o->target->port) ? FIT_YES : FIT_NO;
    return tws_rule_has_port(r, o->kind, o->target->port) ? FIT_UNSURE : FIT_NO;
}

static enum fit fit_rule(const struct tws_rule *r, const struct tws_outward *o)
{
    const struct tws_target *t = o->target;

    if (t->type == TWS_TARGET_UNIX)
        return tws_rule_covers_path(r, t->name) ? FIT_YES : FIT_NO;
    if (is_any(r))
        return tws_rule_has_port(r, o->kind, t->port) ? FIT_YES : FIT_NO;
    if (r->name == NULL && !r->is_path)
        return fit_prefix(r, o);
    return t->type == TWS_TARGET_NAME && tws_rule_covers_name(r, o->kind, t->name, t->port)
               ? FIT_YES
               : FIT_NO;
}

static bool fits_source(const struct tws_outlet *l, const struct tws_ip *ip)
{
    for (size_t i = 0; i < l->nfrom; i++)
        if (tws_prefix_contains(&l->from[i], ip))
            return true;
    return l->nfrom == 0;
}

static enum fit fit_outlet(const struct tws_outlet *l, const struct tws_outward *o)
{
    enum fit best = l->nto == 0 ? FIT_YES : FIT_NO;

    if (!fits_source(l, &o->source.ip))
        return FIT_NO;
    for (size_t i = 0; i < l->nto && best != FIT_YES; i++) {
        enum fit f = fit_rule(&l->to[i], o);
        if (f != FIT_NO)
            best = f;
    }
    return best;
}

const struct tws_outlet *tws_outlet_find(const struct tws_outlet *list, size_t n,
                                         const struct tws_outward *o, bool *unsure)
{
    *unsure = false;
    for (size_t i = 0; i < n; i++) {
        enum fit f = fit_outlet(&list[i], o);
        if (f == FIT_YES)
            return &list[i];
        if (f == FIT_UNSURE) {
            *unsure = true;
            return NULL;
        }
    }
    return NULL;
}

/* ---- what it means ---- */

struct tws_ip_port tws_outlet_source(const struct tws_target *t)
{
    struct tws_ip_port none = {.port = 0};

    return is_address(t) ? (struct tws_ip_port){tws_ip_unmap(t->ip), t->port} : none;
}

/* A prefix whose first address is a loopback one has no others; any other one may have been written
 * without a thought of this machine, unless it is this very address. */
static bool names_own(const struct tws_outlet *o, const struct tws_ip *ip)
{
    for (size_t i = 0; i < o->nfrom; i++)
        if (tws_prefix_contains(&o->from[i], ip) &&
            (tws_ip_is_loopback(&o->from[i].ip) || o->from[i].bits == (ip->family == 4 ? 32 : 128)))
            return true;
    return false;
}

static const char *spoof(const struct tws_outlet *o, const struct tws_ip_port *source,
                         tws_is_own_fn *is_own, void *arg, struct tws_connect_from *from)
{
    bool named = names_own(o, &source->ip);

    if (source->ip.family == 0)
        return "spoof: the client's address is not known";
    if (!tws_rule_ordinary(&source->ip) || (tws_ip_is_loopback(&source->ip) && !named))
        return "spoof: the client's address is a special one";
    if (!named && is_own(arg, &source->ip))
        return "spoof: the client's address is the server's own";
    from->transparent = true;
    from->ip = source->ip;
    from->port = source->port >= PORTS_OF_ROOT ? source->port : 0;
    return NULL;
}

const char *tws_outlet_from(const struct tws_outlet *o, const struct tws_ip_port *source,
                            tws_is_own_fn *is_own, void *arg, struct tws_connect_from *from)
{
    *from = (struct tws_connect_from){.leaves_some = true};
    if (o == NULL)
        return NULL;
    from->ip = o->bind;
    from->mark = o->mark;
    if (o->interface != NULL)
        (void)snprintf(from->interface, sizeof from->interface, "%s", o->interface);
    return o->spoof ? spoof(o, source, is_own, arg, from) : NULL;
}

const char *tws_outlet_meets_itself(const struct tws_connect_from *from, const struct tws_ip *to)
{
    if (!from->transparent || tws_ip_is_loopback(to) || !tws_ip_equal(&from->ip, to))
        return NULL;
    return "spoof: the client's address is the target's own";
}

const struct tws_ip_port *tws_outlet_redirect(const struct tws_outlet *o,
                                              const struct tws_ip_port *source)
{
    const struct tws_ip_port *same = source->ip.family == 6 ? &o->ipv6 : &o->ipv4;

    if (source->ip.family == 0 && same->ip.family == 0)
        same = &o->ipv6;
    return same->ip.family != 0 ? same : NULL;
}
