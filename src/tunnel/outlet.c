/* outlet.c - see outlet_priv.h. */
#include "outlet_priv.h"

#include "tws/proto/frame.h"
#include "tws/tunnel/rule.h"

#include <stdio.h>
#include <string.h>

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

/* A prefix whose first address is a loopback one has no others. */
static bool names_loopback(const struct tws_outlet *o, const struct tws_ip *ip)
{
    for (size_t i = 0; i < o->nfrom; i++)
        if (tws_ip_is_loopback(&o->from[i].ip) && tws_prefix_contains(&o->from[i], ip))
            return true;
    return false;
}

static const char *spoof(const struct tws_outlet *o, const struct tws_ip_port *source,
                         struct tws_connect_from *from)
{
    if (source->ip.family == 0)
        return "spoof: the client's address is not known";
    if (!tws_rule_ordinary(&source->ip) ||
        (tws_ip_is_loopback(&source->ip) && !names_loopback(o, &source->ip)))
        return "spoof: the client's address is a special one";
    from->transparent = true;
    from->ip = source->ip;
    from->port = source->port;
    return NULL;
}

const char *tws_outlet_from(const struct tws_outlet *o, const struct tws_ip_port *source,
                            struct tws_connect_from *from)
{
    *from = (struct tws_connect_from){.port = 0};
    if (o == NULL)
        return NULL;
    from->ip = o->bind;
    from->mark = o->mark;
    if (o->interface != NULL)
        (void)snprintf(from->interface, sizeof from->interface, "%s", o->interface);
    return o->spoof ? spoof(o, source, from) : NULL;
}

const struct tws_ip_port *tws_outlet_redirect(const struct tws_outlet *o,
                                              const struct tws_ip_port *source)
{
    const struct tws_ip_port *same = source->ip.family == 6 ? &o->ipv6 : &o->ipv4;

    if (source->ip.family == 0 && same->ip.family == 0)
        same = &o->ipv6;
    return same->ip.family != 0 ? same : NULL;
}
