/* config_transparent.c - what a transparent forward catches: networks that can be, each once; see
 * config.h. */
#include "config_priv.h"

#include "tws/tunnel/footprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool never_leaves(const struct tws_ip *ip)
{
    return tws_ip_is_loopback(ip) || tws_ip_is_link_local(ip) || tws_ip_is_multicast(ip);
}

/* "networks: <p><middle><q><end>"; false. */
static bool say(char why[TWS_CONFIG_WHY], const struct tws_prefix *p, const char *middle,
                const struct tws_prefix *q, const char *end)
{
    char one[TWS_PREFIX_TEXT], other[TWS_PREFIX_TEXT];

    tws_prefix_format(p, one, sizeof one);
    tws_prefix_format(q, other, sizeof other);
    snprintf(why, TWS_CONFIG_WHY, "networks: %s%s%s%s", one, middle, other, end);
    return false;
}

static bool judge_against(const struct tws_prefix *p, const struct tws_prefix *list, size_t n,
                          const char *whose, char why[TWS_CONFIG_WHY])
{
    char end[64];

    snprintf(end, sizeof end, "%s: leave one of them out", whose);
    for (size_t i = 0; i < n; i++) {
        if (tws_prefix_covers(&list[i], p))
            return say(why, p, " lies within ", &list[i], end);
        if (tws_prefix_covers(p, &list[i]))
            return say(why, p, " has within it ", &list[i], end);
    }
    return true;
}

/* Each address is caught once, or never. */
static bool judge_network(const struct tws_client_config *c, const struct tws_forward_settings *f,
                          size_t i, char why[TWS_CONFIG_WHY])
{
    const struct tws_prefix *list = f->networks.p, *but = f->exclude.p, *p = &list[i];
    char text[TWS_PREFIX_TEXT];
    bool fine = judge_against(p, list, i, "", why);

    for (size_t k = 0; k < c->nforwards && fine; k++)
        fine = judge_against(p, c->forwards[k].networks, c->forwards[k].nnetworks,
                             " of another forward", why);
    for (size_t k = 0; k < f->exclude.n && fine; k++)
        if (tws_prefix_covers(&but[k], p))
            return say(why, p, " is all excluded by ", &but[k], ": leave one of them out");
    if (fine && never_leaves(&p->ip)) {
        tws_prefix_format(p, text, sizeof text);
        snprintf(why, TWS_CONFIG_WHY,
                 "networks: %s cannot be caught: loopback, link-local and multicast addresses mean "
                 "this machine or its neighbours",
                 text);
        return false;
    }
    return fine;
}

static bool judge_listen(const struct tws_spot *listen)
{
    if (listen->type == TWS_SPOT_NONE)
        return true;
    return listen->type == TWS_SPOT_INET && listen->port == listen->last && listen->name[0] == '\0';
}

/* What tells two of them apart is where they listen. */
static bool has_twin(const struct tws_client_config *c, const struct tws_forward_settings *f)
{
    for (size_t i = 0; i < c->nforwards; i++) {
        const struct tws_forward *other = &c->forwards[i];
        if (other->kind == TWS_FORWARD_TRANSPARENT && f->listen.type == TWS_SPOT_NONE &&
            other->listen.port == 0 && other->tproxy == f->tproxy && other->local == f->local)
            return true;
    }
    return false;
}

bool tws_config_judge_transparent(const struct tws_client_config *c,
                                  const struct tws_forward_settings *f, char why[TWS_CONFIG_WHY])
{
    const char *what = NULL;
    bool fine = true;

    if (!judge_listen(&f->listen))
        what =
            "listen of a transparent forward is one port without a host, as in :4000; with local: "
            "true nobody else can connect to it";
    else if (f->networks.n == 0)
        what = "transparent forward without networks: say which destinations it shall catch, as in "
               "networks: [10.0.0.0/8]";
    else if (has_twin(c, f))
        what = "two transparent forwards without listen: put the networks of both into one";
    if (what != NULL) {
        snprintf(why, TWS_CONFIG_WHY, "%s", what);
        return false;
    }
    for (size_t i = 0; i < f->networks.n && fine; i++)
        fine = judge_network(c, f, i, why);
    return fine;
}

/* Those that no other one covers; of equal ones the first. */
static size_t reduce(struct tws_prefix *list, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool covered = false;
        for (size_t k = 0; k < n && !covered; k++)
            covered = k != i && tws_prefix_covers(&list[k], &list[i]) &&
                      (k < i || !tws_prefix_covers(&list[i], &list[k]));
        if (!covered)
            list[kept++] = list[i]; /* never before one that is still to be asked: kept <= i */
    }
    return kept;
}

static tws_err copy(const struct tws_items *from, struct tws_prefix **to, size_t *n)
{
    *to = calloc(from->n + 1, sizeof **to);
    if (*to == NULL)
        return TWS_NOMEM;
    if (from->n > 0)
        memcpy(*to, from->p, from->n * sizeof **to);
    *n = from->n;
    return TWS_OK;
}

tws_err tws_config_take_transparent(struct tws_client_config *c, struct tws_forward *out,
                                    const struct tws_forward_settings *f)
{
    tws_err err = copy(&f->networks, &out->networks, &out->nnetworks);

    if (err == TWS_OK)
        err = copy(&f->exclude, &out->exclude, &out->nexclude);
    if (err != TWS_OK)
        return err;
    out->nexclude = reduce(out->exclude, out->nexclude);
    out->tproxy = f->tproxy;
    out->local = f->local;
    if (out->listen.type == TWS_SPOT_NONE)
        out->listen = (struct tws_spot){.type = TWS_SPOT_INET};
    c->link.mark = TWS_MARK_OWN;
    return TWS_OK;
}
